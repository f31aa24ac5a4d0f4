/**
 * `POST /execute_command`: the original's one route, which answers when the session has ended. The
 * order of checks, statuses and messages are the original's, except that a session that failed is
 * 500 with its reason (there 200), and that bad input is 400 (there sometimes 500).
 */
import type { Hono } from "hono";
import * as v from "valibot";
import type { SessionId } from "../../core/ids.ts";
import { isTerminal, type SessionEvent } from "../../session/events.ts";
import { checkBody, readJson } from "./body.ts";
import type { Rest, RestContext, RestEnv } from "./context.ts";
import { RestError } from "./errors.ts";
import { ConfigObject } from "./session_view.ts";

const flag = v.optional(v.boolean(), false);

/** Body of the command. */
export const CommandBody = v.object({
  session_id: v.pipe(
    v.string(),
    v.nonEmpty(),
    v.maxLength(200),
    v.description(
      "The caller's name for the run, which the message repeats; to continue a run, its id",
    ),
  ),
  /** Empty to continue a run with its own. */
  federated_learning_config: ConfigObject,
  restore: flag,
  revive: flag,
  file: flag,
  queue: v.pipe(v.optional(v.boolean(), false), v.description("Whether to wait for other runs")),
});

/** Every answer of the command. */
export const CommandAnswer = v.object({
  message: v.string(),
  session_id: v.pipe(v.optional(v.string()), v.description("The run's id in /api/v1")),
  problems: v.optional(v.array(v.string())),
});

/** Adds the route to the app. */
export function routeExecuteCommand(app: Hono<RestEnv>, rest: Rest): void {
  const { service, submissions } = rest;
  app.post("/execute_command", async (c) => {
    const sent = await readJson(c, rest);
    const queue = isObject(sent) && sent["queue"] === true;
    if (!queue) submissions.refuseIfBusy(400);
    if (!service.clients().some(({ state }) => state === "active" || state === "training")) {
      throw new RestError(400, "invalid_request", "No active clients");
    }
    if (!isObject(sent) || sent["federated_learning_config"] === undefined) {
      throw new RestError(400, "invalid_request", "Invalid request");
    }
    const body = checkBody(CommandBody, sent);
    const id = await begin(body, rest);
    const end = await lastEvent(c, rest, id);
    const { status, message } = outcome(end, body.session_id);
    return c.json({ message, session_id: id }, status);
  });
}

/** Continues the run that the flags name, or submits a new one. @returns its id */
async function begin(body: v.InferOutput<typeof CommandBody>, rest: Rest): Promise<SessionId> {
  const { service, submissions, parseConfig } = rest;
  const { restore, revive, file, session_id: id } = body;
  const given = body.federated_learning_config;
  if (file && !restore && !revive) {
    throw new RestError(
      400,
      "invalid_request",
      `Cannot continue session ${id} with "file" alone: it says from where, add "restore" or "revive"`,
    );
  }
  if (!restore && !revive) {
    return await submissions.submit({ config: parseConfig(given), modelPackage: null });
  }
  return await submissions.started(service.continue(id, {
    how: restore && revive ? "either" : restore ? "restore" : "revive",
    file: file ? { round: null } : null,
    config: Object.keys(given).length === 0 ? null : parseConfig(given),
  }));
}

/** Waits for the end; null if the server closes before. A caller that goes away ends nothing. */
async function lastEvent(
  c: RestContext,
  { service }: Rest,
  id: SessionId,
): Promise<SessionEvent | null> {
  const signal = c.env?.closing ?? new AbortController().signal;
  let end: SessionEvent | null = null;
  try {
    for await (const item of service.follow(id, 0, signal)) {
      // A run that was restored has ended before.
      if (item.kind === "event") end = isTerminal(item.entry.event) ? item.entry.event : null;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return end;
}

function outcome(end: SessionEvent | null, name: string) {
  switch (end?.type) {
    case "session_finished":
      return { status: 200, message: `Session ${name} finished` } as const;
    case "session_failed":
      return { status: 500, message: `Session ${name} failed: ${end.reason}` } as const;
    case "session_stopped":
      return { status: 500, message: `Session ${name} stopped: ${end.reason}` } as const;
    default:
      return { status: 503, message: `Session ${name} goes on, but the server closes` } as const;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
