/** The configuration file of a long-running command: the named one, the default one, or none. */
import type { GenericSchema, InferOutput } from "valibot";
import { parseConfig, readConfigText } from "../config/load.ts";
import { noticesOf } from "../config/notices.ts";
import { printNotices } from "./notices.ts";

/**
 * Reads and validates the file, and says which of its keys have no effect; without a file all
 * defaults hold.
 *
 * @param named what the user asked for; undefined to take the default file if it is there
 * @throws {FileAccessError} the named file cannot be read
 * @throws {ConfigError} it is not valid
 */
export async function loadConfigFile<Schema extends GenericSchema>(
  schema: Schema,
  named: string | undefined,
  defaultFile: string,
): Promise<InferOutput<Schema>> {
  const file = named ?? (await exists(defaultFile) ? defaultFile : null);
  const text = file === null ? "{}" : await readConfigText(file);
  const config = parseConfig(schema, text, file ?? "defaults");
  printNotices(noticesOf(schema, text, file ?? "defaults"));
  return config;
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
