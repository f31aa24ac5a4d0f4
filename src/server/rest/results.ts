/** What an ended run leaves: its model and its results, streamed from its folder. */
import type { Hono } from "hono";
import type { SessionState } from "../../session/state.ts";
import type { Rest, RestContext, RestEnv } from "./context.ts";
import { RestError } from "./errors.ts";

/** Adds `/api/v1/sessions/:id/model` and `/results` to the app. */
export function routeResults(app: Hono<RestEnv>, { service }: Rest): void {
  app.get("/api/v1/sessions/:id/model", async (c) => {
    const state = await service.get(c.req.param("id"));
    c.header("Content-Disposition", `attachment; filename="${state.id}.safetensors"`);
    return sendFile(c, state, service.resultsFolder(state.id), "model.safetensors");
  });
  app.get("/api/v1/sessions/:id/results", async (c) => {
    const state = await service.get(c.req.param("id"));
    return sendFile(c, state, service.resultsFolder(state.id), "results.json");
  });
}

async function sendFile(
  c: RestContext,
  state: SessionState,
  folder: string | null,
  name: "model.safetensors" | "results.json",
): Promise<Response> {
  const cannot = `Cannot give ${name} of session ${state.id} as`;
  if (state.endedAt === null) {
    throw new RestError(409, "not_ended", `${cannot} it is ${state.status}: wait until it ends`);
  }
  const file = folder === null ? null : await openIfThere(`${folder}/${name}`);
  if (file === null) {
    const reason = state.reason === null ? "" : ` (${state.reason})`;
    throw new RestError(404, "no_results", `${cannot} it ${state.status} without one${reason}`);
  }
  const { size } = await file.stat();
  c.header("Content-Length", String(size));
  c.header(
    "Content-Type",
    name.endsWith(".json") ? "application/json" : "application/octet-stream",
  );
  // hono answers HEAD by the same handler and drops the body, which would leave the file open.
  if (c.req.raw.method === "HEAD") {
    file.close();
    return c.body(null);
  }
  return c.body(file.readable);
}

async function openIfThere(path: string): Promise<Deno.FsFile | null> {
  try {
    return await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
