/** `/api/v1/sessions/:id/continue` and `/fork`: runs that go on, and new ones from their rounds. */
import type { Hono } from "hono";
import * as v from "valibot";
import { checkBody, readJson } from "./body.ts";
import type { Rest, RestEnv } from "./context.ts";
import { ConfigObject } from "./session_view.ts";

const round = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const queue = v.pipe(
  v.optional(v.boolean(), true),
  v.description("Whether to wait while another session runs; false answers 409 instead"),
);

/** Body of a continuation. */
export const ContinueBody = v.strictObject({
  how: v.pipe(
    v.picklist(["restore", "revive", "either"]),
    v.description(
      "restore: in the midst of its round, with the same clients; revive: after its last finished " +
        "round, with whichever clients are there; either: restore if all are there, else revive",
    ),
  ),
  file: v.pipe(
    v.optional(v.boolean(), false),
    v.description("Whether to go on from the leader's checkpoint file instead of its state"),
  ),
  round: v.pipe(
    v.optional(round),
    v.description("With file: the round of the checkpoint; by default the last one"),
  ),
  config: v.pipe(
    v.optional(ConfigObject),
    v.description("If given, it must be the session's own"),
  ),
  queue,
});

/** Body of a fork. */
export const ForkBody = v.strictObject({
  round: v.pipe(round, v.description("Last round that the two have in common; counts from 1")),
  config: v.pipe(
    v.optional(ConfigObject),
    v.description("The config of the new session; by default the parent's"),
  ),
  queue,
});

/** Adds the routes to the app. */
export function routeContinuations(app: Hono<RestEnv>, rest: Rest): void {
  const { service, submissions, parseConfig } = rest;
  app.post("/api/v1/sessions/:id/continue", async (c) => {
    const { how, file, round, config, queue } = checkBody(ContinueBody, await readJson(c, rest));
    const request = {
      how,
      file: file || round !== undefined ? { round: round ?? null } : null,
      config: config === undefined ? null : parseConfig(config),
    };
    if (!queue) submissions.refuseIfBusy(409);
    const id = await submissions.started(service.continue(c.req.param("id"), request));
    return c.json({ session_id: id }, 202, { location: `/api/v1/sessions/${id}` });
  });
  app.post("/api/v1/sessions/:id/fork", async (c) => {
    const { round, config, queue } = checkBody(ForkBody, await readJson(c, rest));
    const fork = { round, config: config === undefined ? null : parseConfig(config) };
    if (!queue) submissions.refuseIfBusy(409);
    const id = await submissions.started(service.fork(c.req.param("id"), fork));
    return c.json({ session_id: id }, 201, { location: `/api/v1/sessions/${id}` });
  });
}
