/**
 * Says why a file cannot be read or written, and what to do about it. The operating system's code
 * decides; its own text is kept as the cause.
 */
import { FileAccessError, messageOf } from "../core/errors.ts";

interface Explanation {
  readonly reason: string;
  readonly advice: string;
}

const NO_SPACE: Explanation = {
  reason: "no space is left on the device",
  advice: "free some, or choose a folder on another disk",
};
const NO_PERMISSION: Explanation = {
  reason: "permission is denied",
  advice: "let this user write there, or choose another folder",
};

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  ENOSPC: NO_SPACE,
  EDQUOT: { reason: "the disk quota is used up", advice: NO_SPACE.advice },
  EACCES: NO_PERMISSION,
  EPERM: NO_PERMISSION,
  EROFS: { reason: "the file system is read-only", advice: "choose another folder" },
  ENOENT: { reason: "it does not exist", advice: "check the path" },
  EEXIST: {
    reason: "a file of that name exists where a folder is needed",
    advice: "move the file away, or choose another folder",
  },
  ENOTDIR: { reason: "a part of the path is a file", advice: "choose another folder" },
  EISDIR: { reason: "it is a folder", advice: "name a file in it" },
  ENAMETOOLONG: { reason: "the name is too long", advice: "choose a shorter one" },
  EMFILE: {
    reason: "this process has too many files open",
    advice: "raise the limit (ulimit -n)",
  },
  EIO: { reason: "the device reports an error", advice: "check the disk" },
};

/**
 * The error of a failed file operation.
 *
 * @param verb what was tried, such as `write` or `create folder`
 * @param error what the runtime threw, with the code of the operating system
 */
export function fileAccessError(verb: string, path: string, error: unknown): FileAccessError {
  const code = (error as { readonly code?: unknown } | null)?.code;
  const { reason, advice } = EXPLANATIONS[String(code)] ??
    { reason: messageOf(error), advice: "check the path and the disk" };
  return new FileAccessError(`Cannot ${verb} "${path}" as ${reason}: ${advice}`, { cause: error });
}

/** Does `operation` and explains its failure by {@link fileAccessError}. */
export async function onFile<T>(
  verb: string,
  path: string,
  operation: () => Promise<T>,
): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw fileAccessError(verb, path, error);
  }
}
