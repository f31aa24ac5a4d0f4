/** What every handler of the REST interface is given: its options, and facts about the socket. */
import type { Context } from "hono";
import type { SessionConfig } from "../../config/session_config.ts";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../log/log.ts";
import type { SessionService } from "../session_service.ts";
import type { Submissions } from "./submissions.ts";

/** How the socket is served; empty when the app is called without one, as in tests. */
export interface Serving {
  /** Whether only this machine can connect, so that a foreign `Host` is an attack. */
  readonly loopback: boolean;
  /** Aborts when the server begins to close: endless answers end then. */
  readonly closing: AbortSignal;
}

/** The environment of the hono app. */
export interface RestEnv {
  Bindings: Partial<Serving>;
}

export type RestContext = Context<RestEnv>;

/** Options of {@link createRest}. */
export interface RestOptions {
  /**
   * Checks a submitted config and fills in its defaults.
   *
   * @throws {ConfigError} whose message has one line a problem
   */
  readonly parseConfig: (config: unknown) => SessionConfig;
  /** Told of errors that are bugs; the caller sees no details of those. @default {silentLogger} */
  readonly log?: Logger;
  /** What the leader still waits for, such as its broker; null once it can run sessions. */
  readonly notReady?: () => string | null;
  /** Milliseconds of silence after which an event stream sends a comment. @default {15_000} */
  readonly heartbeatMs?: number;
  /** Largest request body, in bytes. @default {16 * 1024 * 1024} */
  readonly maxBodyBytes?: number;
  /** @default {systemClock} */
  readonly clock?: Clock;
}

/** What routes need. */
export interface Rest extends Required<RestOptions> {
  readonly service: SessionService;
  readonly submissions: Submissions;
}
