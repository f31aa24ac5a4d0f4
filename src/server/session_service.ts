/** What REST and other front doors can ask of a leader about its runs and clients. */
import type { SessionConfig } from "../config/session_config.ts";
import type { StrategyFiles } from "../config/strategy_files.ts";
import type { ClientId, ClientName, SessionId } from "../core/ids.ts";
import type { ModelPackage } from "../core/model_package.ts";
import type { HardwareInfo } from "../discovery/discovery.ts";
import type { StreamItem } from "../session/events.ts";
import type { SessionState } from "../session/state.ts";
import type { StateSize } from "../archive/state_archive.ts";
import { ExitCode, FlotillaError } from "../core/errors.ts";
import type { Garbage } from "./garbage.ts";

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

/** A run of which the leader cannot read the journal: it can neither go on nor be looked at. */
export interface UnreadableSession {
  readonly id: SessionId;
  /** What is wrong with it, and where. */
  readonly reason: string;
}

/** A question about a run whose journal cannot be read. */
export class UnreadableSessionError extends FlotillaError {
  override name = "UnreadableSessionError";

  constructor({ id, reason }: UnreadableSession) {
    super(`Cannot read session ${id}, which was left out when the server started: ${reason}`);
  }
}

/** A run that cannot go on as asked, or from which none can be forked. */
export class ContinuationError extends FlotillaError {
  override name = "ContinuationError";
  override readonly exitCode = ExitCode.usage;
}

/** How a run that has failed or was stopped shall go on. */
export interface Continue {
  /**
   * `restore`: in the midst of its round, with the same clients; `revive`: after its last finished
   * round, with whichever clients are there; `either`: restore if all clients are there, else revive.
   */
  readonly how: "restore" | "revive" | "either";
  /** From the checkpoint after this round, or after the last one; null to go on from the state. */
  readonly file: { readonly round: number | null } | null;
  /** Checked to be the run's own; null to leave the check out. */
  readonly config: SessionConfig | null;
}

/** A new run that begins where another was. */
export interface Fork {
  /** The round after which they part; counts from 1. */
  readonly round: number;
  /** Null for the parent's. */
  readonly config: SessionConfig | null;
  /** Text of strategies that the config names by file and the parent has not. @default none */
  readonly strategies?: StrategyFiles;
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
  /** The runs that the store has and that cannot be read; they are in no list. */
  unreadable(): readonly UnreadableSession[];
  /**
   * @param id a session id, or an unambiguous start of one of at least 4 characters
   * @throws {UnknownSessionError}
   * @throws {UnreadableSessionError}
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
  /**
   * Lets a run go on that has failed or was stopped; it is queued as a new one is.
   *
   * @returns its whole id
   * @throws {UnknownSessionError}
   * @throws {ContinuationError} it cannot go on as asked: nothing is changed
   * @throws {ArchiveError | FileAccessError} the checkpoint cannot be used
   */
  continue(id: string, how: Continue): Promise<SessionId>;
  /**
   * Begins a new run with the rounds of another up to a given one.
   *
   * @returns the new run's id
   * @throws {UnknownSessionError}
   * @throws {ContinuationError} the round or its weights are not there, or do not fit the config
   * @throws {ConfigError | ModelError | DataError} the run cannot work: nothing was started
   */
  fork(id: string, fork: Fork): Promise<SessionId>;
  /** Frees what no run needs, or only counts it. */
  collectGarbage(isTrial: boolean): Promise<Garbage>;
  /**
   * Everything that the leader keeps, as an archive.
   *
   * @throws {ContinuationError} a run is under way
   */
  exportState(): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Fills the leader's empty state from an archive, and goes on with the open runs in it.
   *
   * @param path of the archive
   * @throws {ArchiveError} it is damaged, or the state is not empty
   */
  importState(path: string): Promise<StateSize>;
  /** Absolute path of the results of a run that has ended; null if there are none. */
  resultsFolder(id: SessionId): string | null;
  /** All clients that the directory knows, by name. */
  clients(): ClientView[];
}
