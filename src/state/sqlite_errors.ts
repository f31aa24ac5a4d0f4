/**
 * Says what is wrong with a database file. `node:sqlite` passes on SQLite's sentence but not its
 * code, so the sentence decides.
 */
import { FileAccessError, messageOf } from "../core/errors.ts";

const LOCKED = /locked/;

const EXPLANATIONS: readonly (readonly [sentence: RegExp, reason: string, advice: string])[] = [
  [
    /not a database|malformed/,
    "the file is damaged or not a database",
    "move it away to start anew, or put a good copy in its place",
  ],
  [/disk is full/, "no space is left on the device", "free some, or choose another folder"],
  [
    /readonly|unable to open/,
    "the file cannot be opened for writing",
    "let this user write the file and its folder, or choose another folder",
  ],
  [
    LOCKED,
    "another process has held it for too long",
    "stop the other process, or give this one a folder of its own",
  ],
  [/disk I\/O error/, "the device reports an error", "check the disk and its free space"],
  [/not open/, "the store has been closed", "open it again"],
];

/** Whether an error of {@link databaseError} says that another process held the file. */
export function isLocked(error: unknown): boolean {
  return error instanceof FileAccessError && LOCKED.test(messageOf(error.cause));
}

/** The error of a failed call on the database at `path`. */
export function databaseError(verb: string, path: string, error: unknown): FileAccessError {
  const message = messageOf(error);
  const known = EXPLANATIONS.find(([sentence]) => sentence.test(message));
  const [, reason, advice] = known ?? [null, message, "check the file and the disk"];
  return new FileAccessError(`Cannot ${verb} "${path}" as ${reason}: ${advice}`, { cause: error });
}
