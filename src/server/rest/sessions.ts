/** `/api/v1/sessions`: submit, list, look at and stop runs. */
import type { Hono } from "hono";
import * as v from "valibot";
import { type ModelPackage, modelPackage } from "../../core/model_package.ts";
import type { SessionState } from "../../session/state.ts";
import { checkBody, readJson } from "./body.ts";
import type { Rest, RestContext, RestEnv } from "./context.ts";
import { RestError } from "./errors.ts";
import { ConfigObject, SessionSummary, sessionSummary, sessionView } from "./session_view.ts";

/** Strategies that are the user's own code. */
export const StrategyTexts = v.pipe(
  v.optional(v.record(v.string(), v.string()), {}),
  v.description("Text of the strategies that the config names by file, by that name"),
);

/** Body of a submission. */
export const SubmissionBody = v.strictObject({
  config: ConfigObject,
  package: v.optional(v.strictObject({
    id: v.pipe(v.string(), v.description("The model's id")),
    files: v.pipe(
      v.record(v.string(), v.string()),
      v.description("File contents in base64 by path inside the package"),
    ),
  })),
  strategies: StrategyTexts,
  queue: v.pipe(
    v.optional(v.boolean(), true),
    v.description("Whether to wait while another session runs; false answers 409 instead"),
  ),
});

/** Answer to a submission. */
export const Submitted = v.object({ session_id: v.string() });

export const SessionList = v.object({
  sessions: v.array(SessionSummary),
  unreadable: v.pipe(
    v.array(v.object({ session_id: v.string(), reason: v.string() })),
    v.description("Sessions whose journal cannot be read, and why; they are left alone"),
  ),
});

/** Body of a stop, which may be left out. */
export const StopBody = v.strictObject({ reason: v.optional(v.pipe(v.string(), v.nonEmpty())) });

/** Adds the routes to the app. */
export function routeSessions(app: Hono<RestEnv>, rest: Rest): void {
  const { service, submissions, parseConfig } = rest;
  app.post("/api/v1/sessions", async (c) => {
    const body = checkBody(SubmissionBody, await readJson(c, rest));
    const submission = {
      config: parseConfig(body.config),
      modelPackage: body.package === undefined ? null : decodePackage(body.package),
      strategies: body.strategies,
    };
    if (!body.queue) submissions.refuseIfBusy(409);
    const id = await submissions.submit(submission);
    return c.json({ session_id: id }, 201, { location: `/api/v1/sessions/${id}` });
  });
  app.get("/api/v1/sessions", async (c) => {
    const sessions = (await service.list()).map(sessionSummary);
    const unreadable = service.unreadable().map(({ id, reason }) => ({ session_id: id, reason }));
    return c.json({ sessions, unreadable });
  });
  const view = (state: SessionState) => sessionView(state, service.resultsFolder(state.id));
  app.get("/api/v1/sessions/:id", async (c) => {
    return c.json(view(await service.get(c.req.param("id"))));
  });
  app.post("/api/v1/sessions/:id/stop", async (c) => {
    const { reason = "stopped by a user" } = await readStopBody(c, rest);
    const { id } = await service.get(c.req.param("id"));
    return c.json(view(await service.stop(id, reason)));
  });
}

function decodePackage(
  { id, files }: NonNullable<v.InferOutput<typeof SubmissionBody>["package"]>,
): ModelPackage {
  const problems: string[] = [];
  const decoded: [string, Uint8Array][] = [];
  for (const [path, text] of Object.entries(files)) {
    try {
      decoded.push([path, Uint8Array.fromBase64(text)]);
    } catch {
      problems.push(`package.files "${path}" is not base64`);
    }
  }
  if (problems.length > 0) {
    const message = `Cannot accept the model package "${id}": ${problems.join("; ")}`;
    throw new RestError(400, "invalid_request", message, problems);
  }
  return modelPackage(id, Object.fromEntries(decoded));
}

async function readStopBody(c: RestContext, rest: Rest): Promise<v.InferOutput<typeof StopBody>> {
  return c.req.header("content-type") === undefined
    ? {}
    : checkBody(StopBody, await readJson(c, rest));
}
