/** `/api/v1/gc` and `/api/v1/state`: what the leader keeps, freed, taken out and put in. */
import type { Hono } from "hono";
import * as v from "valibot";
import { checkBody, readJson } from "./body.ts";
import type { Rest, RestContext, RestEnv } from "./context.ts";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Body of a collection, which may be left out. */
export const CollectBody = v.strictObject({
  dry_run: v.pipe(v.optional(v.boolean(), false), v.description("Only count")),
});

/** Answer to a collection. */
export const Collected = v.object({
  dry_run: v.boolean(),
  blobs: v.pipe(count, v.description("Files that no session needs: freed, unless dry_run")),
  bytes: count,
  kept_blobs: count,
  kept_bytes: count,
  unknown_blobs: v.pipe(
    count,
    v.description("Of those kept: in no session, but a run under way may be making them"),
  ),
});

/** Answer to an import. */
export const Imported = v.object({ sessions: count, blobs: count, blob_bytes: count });

/** Adds the routes to the app. */
export function routeStorage(app: Hono<RestEnv>, rest: Rest): void {
  const { service } = rest;
  app.post("/api/v1/gc", async (c) => {
    const body = c.req.header("content-type") === undefined ? {} : await readJson(c, rest);
    const { dry_run } = checkBody(CollectBody, body);
    const { blobs, bytes, keptBlobs, keptBytes, unknownBlobs } = await service.collectGarbage(
      dry_run,
    );
    return c.json({
      ...{ dry_run, blobs, bytes },
      ...{ kept_blobs: keptBlobs, kept_bytes: keptBytes, unknown_blobs: unknownBlobs },
    });
  });
  app.get("/api/v1/state", async (c) => {
    const archive = await service.exportState();
    c.header("Content-Type", "application/octet-stream");
    c.header("Content-Disposition", 'attachment; filename="state.flotilla"');
    return c.body(ReadableStream.from(archive));
  });
  app.post("/api/v1/state", async (c) => {
    const path = await spooled(c);
    try {
      const { sessions, blobs, blobBytes } = await service.importState(path);
      return c.json({ sessions, blobs, blob_bytes: blobBytes });
    } finally {
      await Deno.remove(path);
    }
  });
}

/** Writes the body to a temporary file: an archive is checked as a whole before it is used. */
async function spooled(c: RestContext): Promise<string> {
  const path = await Deno.makeTempFile({ prefix: "flotilla_", suffix: ".import" });
  const file = await Deno.open(path, { write: true });
  // It closes the file, also when the sender breaks off.
  await (c.req.raw.body ?? new Blob([]).stream()).pipeTo(file.writable);
  return path;
}
