/** Who a client is: a UUID made once, kept in its temp folder. */
import { dirname, join } from "node:path";
import { parse, stringify } from "yaml";
import { FileAccessError, messageOf } from "../core/errors.ts";
import type { ClientId } from "../core/ids.ts";
import { writeFileAtomically } from "../state/atomic_file.ts";

/** The file's name in a client's temp folder; the original's. */
export const IDENTITY_FILE = "client_info.yaml";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Reads the client's id, or makes one and writes it.
 *
 * @throws {FileAccessError} the file cannot be read or written, or holds no UUID
 */
export async function loadIdentity(
  tempFolder: string,
  newId: () => string = () => crypto.randomUUID(),
): Promise<ClientId> {
  const path = join(tempFolder, IDENTITY_FILE);
  const text = await readIfThere(path);
  if (text === null) {
    const id = newId();
    await writeFileAtomically(path, stringify({ client_id: id, benchmark_info: {} }));
    return id;
  }
  const id = idIn(text);
  if (id === null) {
    throw new FileAccessError(
      `Cannot read ${path}: client_id is not a UUID; delete the file to begin as a new client`,
    );
  }
  return id;
}

function idIn(text: string): string | null {
  try {
    const id: unknown = parse(text)?.client_id;
    return typeof id === "string" && UUID.test(id) ? id : null;
  } catch {
    return null;
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new FileAccessError(
      `Cannot read ${path} in ${dirname(path)}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
