/** Which status, code and text an error has over REST, in both shapes of answers. */
import type { ContentfulStatusCode } from "hono/utils/http-status";
import * as v from "valibot";
import {
  ArchiveError,
  ConfigError,
  DataError,
  FileAccessError,
  FlotillaError,
  messageOf,
  ModelError,
  UnreachableError,
} from "../../core/errors.ts";
import {
  ContinuationError,
  UnknownSessionError,
  UnreadableSessionError,
} from "../session_service.ts";
import type { Rest, RestContext } from "./context.ts";

/** What machines can tell apart; the message is for people and may change. */
export const ERROR_CODES = [
  "malformed_json",
  "unsupported_media_type",
  "body_too_large",
  "invalid_request",
  "invalid_config",
  "invalid_model",
  "invalid_data",
  "invalid_archive",
  "not_continuable",
  "busy",
  "unknown_session",
  "unreadable_session",
  "unknown_route",
  "method_not_allowed",
  "foreign_host",
  "foreign_origin",
  "not_ended",
  "no_results",
  "not_ready",
  "unavailable",
  "storage",
  "failed",
  "internal",
] as const;

export type ErrorCode = typeof ERROR_CODES[number];

/** Body of every answer that is not a success, `POST /execute_command` excepted. */
export const ErrorBody = v.object({
  error: v.object({
    code: v.picklist(ERROR_CODES),
    message: v.string(),
    problems: v.optional(v.array(v.string())),
  }),
});

/** A request that cannot be answered as it wishes. */
export class RestError extends FlotillaError {
  override name = "RestError";

  /** @param problems all that is wrong, if it may be more than one thing */
  constructor(
    readonly status: ContentfulStatusCode,
    readonly code: ErrorCode,
    message: string,
    readonly problems?: readonly string[],
  ) {
    super(message);
  }
}

/** Answers with an error: as `{error}`, or as `{message}` where the original's clients ask. */
export function answerError(c: RestContext, { log }: Rest, thrown: unknown): Response {
  const { status, code, message, problems } = restError(thrown);
  if (code === "internal") {
    log.error("rest_failed", `${c.req.method} ${c.req.path}: ${stackOf(thrown)}`);
  }
  const more = problems === undefined ? {} : { problems };
  return c.req.path === "/execute_command"
    ? c.json({ message, ...more }, status)
    : c.json({ error: { code, message, ...more } }, status);
}

function restError(thrown: unknown): RestError {
  if (thrown instanceof RestError) return thrown;
  const text = messageOf(thrown);
  if (thrown instanceof ConfigError) {
    return new RestError(400, "invalid_config", text, text.split("\n"));
  }
  if (thrown instanceof ModelError) return new RestError(400, "invalid_model", text);
  if (thrown instanceof DataError) return new RestError(400, "invalid_data", text);
  if (thrown instanceof ArchiveError) return new RestError(400, "invalid_archive", text);
  if (thrown instanceof ContinuationError) return new RestError(409, "not_continuable", text);
  if (thrown instanceof UnknownSessionError) return new RestError(404, "unknown_session", text);
  if (thrown instanceof UnreadableSessionError) {
    return new RestError(409, "unreadable_session", text);
  }
  if (thrown instanceof UnreachableError) return new RestError(503, "unavailable", text);
  if (thrown instanceof FileAccessError) return new RestError(507, "storage", text);
  if (thrown instanceof FlotillaError) return new RestError(500, "failed", text);
  // A bug: its text may hold anything, so it goes to the log and not to the caller.
  return new RestError(500, "internal", "Cannot answer: the server's log has the reason");
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown);
}
