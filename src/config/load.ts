/** From a file, a text or a request's body to a validated configuration. */
import type { GenericSchema, InferOutput } from "valibot";
import { FileAccessError, messageOf } from "../core/errors.ts";
import { applyOverrides } from "./overrides.ts";
import { InvalidConfigError } from "./problems.ts";
import { validate } from "./validate.ts";
import { MAX_CONFIG_BYTES, readYaml, TOO_LARGE } from "./yaml.ts";

/**
 * Reads and validates YAML text.
 *
 * @param file how messages name the text
 * @param overrides settings `key.path=value` that win over the text
 * @throws {InvalidConfigError} lists every problem with file, line, column and key
 */
export function parseConfig<Schema extends GenericSchema>(
  schema: Schema,
  text: string,
  file: string,
  overrides: readonly string[] = [],
): InferOutput<Schema> {
  return validate(schema, applyOverrides(readYaml(text, file), overrides));
}

/**
 * Reads a configuration file's text.
 *
 * @throws {FileAccessError} it cannot be read
 * @throws {InvalidConfigError} it is larger than 1 MiB, or not UTF-8
 */
export async function readConfigText(file: string): Promise<string> {
  const bytes = await readUpTo(file, MAX_CONFIG_BYTES + 1);
  if (bytes.length > MAX_CONFIG_BYTES) {
    throw new InvalidConfigError([{ reason: TOO_LARGE, location: { file } }]);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const reason = "cannot be read as text: it is not UTF-8";
    throw new InvalidConfigError([{ reason, location: { file } }]);
  }
}

/** At most so many bytes: a pipe or a device does not say how many it has. */
async function readUpTo(file: string, limit: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(limit);
  let length = 0;
  try {
    using opened = await Deno.open(file);
    while (length < limit) {
      const read = await opened.read(bytes.subarray(length));
      if (read === null) break;
      length += read;
    }
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : error instanceof Deno.errors.IsADirectory
      ? "it is a folder"
      : messageOf(error);
    throw new FileAccessError(`Cannot read the configuration "${file}": ${reason}`, {
      cause: error,
    });
  }
  return bytes.subarray(0, length);
}
