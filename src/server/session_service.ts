/** What REST and other front doors can ask of a leader about its runs and clients. */
import type { SessionConfig } from "../config/session_config.ts";
import type { StrategyFiles } from "../config/strategy_files.ts";
import type { ClientId, ClientName, SessionId } from "../core/ids.ts";
import type { ModelPackage } from "../core/model_package.ts";
import type { HardwareInfo } from "../discovery/discovery.ts";
import type { StreamItem } from "../session/events.ts";
import type { SessionState } from "../session/state.ts";
import { FlotillaError } from "../core/errors.ts";

/** A run that a user asks for. */
export interface Submission {
  readonly config: SessionConfig;
  /** The model as the user sent it; null to take the leader's own of that id. */
  readonly modelPackage: ModelPackage | null;
  /** Text of the strategies that the config names by file. @default none */
  readonly strategies?: StrategyFiles;
}

/** A client as the directory knows it. */
export interface ClientView {
  readonly id: ClientId;
  readonly name: ClientName;
  /** `host:port` of its synchronous port. */
  readonly endpoint: string;
  /** Whether it can be selected: `lost` by last will or goodbye, `inactive` by missed heartbeats. */
  readonly state: "active" | "training" | "lost" | "inactive";
  /** Wall-clock milliseconds. */
  readonly lastHeartbeat: number;
  /** Number of items by dataset. */
  readonly datasets: Readonly<Record<string, number>>;
  readonly hardware: HardwareInfo;
  /** Package hash by model id. */
  readonly models: Readonly<Record<string, string>>;
}

/** A run that nobody knows. */
export class UnknownSessionError extends FlotillaError {
  override name = "UnknownSessionError";

  constructor(readonly session: string) {
    super(`Cannot find session "${session}": flotilla ps lists those that this server knows`);
  }
}

/** The leader's runs: one runs, the others wait in order of submission. */
export interface SessionService {
  /**
   * Journals and queues a run; it starts at once if none is running.
   *
   * @throws {ConfigError | ModelError | DataError} the run cannot work: nothing was started
   */
  submit(submission: Submission): Promise<SessionId>;
  /** Whether a run is under way or queued. */
  isBusy(): boolean;
  /** All runs, in order of submission. */
  list(): Promise<SessionState[]>;
  /**
   * @param id a session id, or an unambiguous start of one of at least 4 characters
   * @throws {UnknownSessionError}
   */
  get(id: string): Promise<SessionState>;
  /**
   * All events after `afterSeq`, then what happens, until the run has ended (or at once, if it has).
   *
   * @throws {UnknownSessionError}
   */
  follow(id: SessionId, afterSeq: number, signal: AbortSignal): AsyncIterable<StreamItem>;
  /**
   * Stops a queued or running run; resolves when it has ended. No effect on an ended one.
   *
   * @throws {UnknownSessionError}
   */
  stop(id: SessionId, reason: string): Promise<SessionState>;
  /** Absolute path of the results of a run that has ended; null if there are none. */
  resultsFolder(id: SessionId): string | null;
  /** All clients that the directory knows, by name. */
  clients(): ClientView[];
}
