/**
 * The errors a caller can tell apart. Each class fixes the exit code of the command that meets it
 * and carries what its handler needs. Messages follow one grammar: what was wrong, where, what to do.
 */

/** Exit codes of every `flotilla` command. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  interrupted: 130,
} as const;

/** Root of all errors that Flotilla raises on purpose; anything else is a bug. */
export class FlotillaError extends Error {
  override name = "FlotillaError";
  /** Exit code of a command that ends with this error. */
  readonly exitCode: number = ExitCode.failed;
}

/** A command line that cannot be understood: unknown flag, missing argument, impossible value. */
export class UsageError extends FlotillaError {
  override name = "UsageError";
  override readonly exitCode = ExitCode.usage;
}

/** Where in a user's file something is wrong; lines and columns count from 1. */
export interface FileLocation {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  /** Dotted path of the key, such as `session_config.aggregator`. */
  readonly key?: string;
}

/** A configuration file that is broken, incomplete or contradictory. */
export class ConfigError extends FlotillaError {
  override name = "ConfigError";
  override readonly exitCode = ExitCode.usage;

  constructor(reason: string, readonly location: FileLocation) {
    const { file, line, column, key } = location;
    const place = [file, line, column].filter((part) => part !== undefined).join(":");
    super(`${place}${key === undefined ? "" : ` ${key}`} ${reason}`);
  }
}

/** A dataset that cannot be used: missing, truncated, mislabelled, empty. */
export class DataError extends FlotillaError {
  override name = "DataError";
  override readonly exitCode = ExitCode.usage;
}

/** A model package that cannot be built or does not fit its data. */
export class ModelError extends FlotillaError {
  override name = "ModelError";
  override readonly exitCode = ExitCode.usage;
}

/** A port that another process holds. */
export class PortTakenError extends FlotillaError {
  override name = "PortTakenError";
  override readonly exitCode = ExitCode.usage;

  constructor(readonly port: number, what: string, flag: string) {
    super(
      `Cannot open port ${port} for ${what} as another process holds it: choose another with ${flag}`,
    );
  }
}

/** A file or folder that cannot be read or written. */
export class FileAccessError extends FlotillaError {
  override name = "FileAccessError";
  override readonly exitCode = ExitCode.usage;
}

/** An archive (a checkpoint or an exported state) that is damaged, foreign or not of this version. */
export class ArchiveError extends FlotillaError {
  override name = "ArchiveError";
  override readonly exitCode = ExitCode.usage;
}

/** A service that does not answer: broker, store or leader. */
export class UnreachableError extends FlotillaError {
  override name = "UnreachableError";
  override readonly exitCode = ExitCode.unreachable;
}

/** Bytes that are not the weights they claim to be: format, layout, size, hash, or not finite. */
export class WeightsError extends FlotillaError {
  override name = "WeightsError";
}

/** Another writer has appended to the journal since it was read: this writer must not go on. */
export class StaleSequenceError extends FlotillaError {
  override name = "StaleSequenceError";

  constructor(readonly sessionId: string, readonly expected: number, readonly actual: number) {
    super(
      `Cannot append to the journal of ${sessionId} as it stands at ${actual}: expected ${expected}`,
    );
  }
}

/** A store that another leader uses. */
export class StoreTakenError extends FlotillaError {
  override name = "StoreTakenError";
  override readonly exitCode = ExitCode.usage;

  constructor(store: string, leader: string, lastSeen: Date) {
    super(
      `Cannot lead with ${store} as the server of ${leader} does: its last sign of life came at ` +
        `${lastSeen.toISOString()}; stop it, or choose another store`,
    );
  }
}

/** Another leader has taken the store over, or the store has lost its data: this one must end. */
export class DeposedError extends FlotillaError {
  override name = "DeposedError";

  /** @param leader who leads now; null if nobody does, as the store is empty */
  constructor(store: string, readonly leader: string | null) {
    super(
      leader === null
        ? `Cannot go on with ${store} as its data are gone: it was emptied, or restarted without ` +
          "keeping them; start the server again to begin anew"
        : `Cannot go on with ${store} as the server of ${leader} has taken over: this one gave no ` +
          "sign of life for too long, and nothing of it is written any more",
    );
  }
}

/** Bytes that a store could not take as they came; it can by now, so they may be sent again. */
export class StoreInterruptedError extends FlotillaError {
  override name = "StoreInterruptedError";
}

/** A journal that is not the history of a session: unreadable, or an entry that cannot follow. */
export class JournalError extends FlotillaError {
  override name = "JournalError";
}

/** Why a call to a client failed. */
export type RpcFailure = "unavailable" | "deadline" | "cancelled" | "refused" | "protocol";

/** A call from the leader to a client that did not succeed. */
export class RpcError extends FlotillaError {
  override name = "RpcError";

  constructor(readonly failure: RpcFailure, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** A run that ended without a model. */
export class SessionFailedError extends FlotillaError {
  override name = "SessionFailedError";
}

/** The text of anything thrown, for a log line or a reason. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
