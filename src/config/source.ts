/** Where a configuration comes from: a value, and the place where each part of it was written. */
import type { FileLocation } from "../core/errors.ts";
import { InvalidConfigError } from "./problems.ts";

/** Keys and list indices from the root to a value. */
export type Path = readonly (string | number)[];

/** A configuration as it was written, not yet validated. */
export interface ConfigSource {
  /** How messages name it. */
  readonly file: string;
  /** Plain data; null for an empty file. */
  readonly value: unknown;
  /**
   * Where a value or its key stands; the place of what encloses it if it was not written.
   */
  locate(path: Path, part: "key" | "value"): FileLocation;
}

/** Deeper nesting than any configuration has, and than recursion bears. */
const MAX_DEPTH = 64;

/** The reason why deeper nesting is refused. */
export const TOO_DEEP = `is nested too deeply: at most ${MAX_DEPTH} levels are allowed`;

/**
 * Takes plain data, such as a request's body, as a configuration.
 *
 * @param file how messages name it, such as `request body`
 * @throws {InvalidConfigError} nested more than 64 levels deep
 */
export function sourceOf(value: unknown, file: string): ConfigSource {
  return {
    file,
    value: readNone(value, file),
    locate: (path) => locationIn(file, path),
  };
}

/** A location that names the key only. */
export function locationIn(file: string, path: Path): FileLocation {
  return path.length === 0 ? { file } : { file, key: keyOf(path) };
}

/** A path as messages write it: `session_config.aggregator`, `model_details.model_tags[0]`. */
export function keyOf(path: Path): string {
  return path
    .map((part, i) => typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`)
    .join("");
}

/** Whether a value is a section of keys. */
export function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Copies plain data with every text `None` read as null, as the original's files mean it.
 *
 * @throws {InvalidConfigError} nested more than 64 levels deep
 */
export function readNone(value: unknown, file: string, depth = 0): unknown {
  if (depth > MAX_DEPTH) {
    throw new InvalidConfigError([{ reason: TOO_DEEP, location: { file } }]);
  }
  if (value === "None") return null;
  if (Array.isArray(value)) return value.map((item) => readNone(item, file, depth + 1));
  if (!isSection(value)) return value;
  const entries = Object.entries(value);
  // fromEntries defines keys, so that a key "__proto__" stays a key and is refused as unknown.
  return Object.fromEntries(entries.map(([key, item]) => [key, readNone(item, file, depth + 1)]));
}

/** What stands at a path of plain data; undefined where there is nothing. */
export function valueAt(data: unknown, path: readonly string[]): unknown {
  let value = data;
  for (const key of path) value = isSection(value) ? value[key] : undefined;
  return value;
}
