/**
 * Files that are there whole or not at all: written under a temporary name beside their place,
 * forced to the disk, then renamed. A crash leaves at most a temporary file.
 */
import { dirname, join } from "node:path";
import { onFile } from "./file_access.ts";
import { type FileSystem, type NewFile, systemFiles } from "./file_system.ts";

/**
 * Replaces the file at `path` atomically; makes its folder if missing. An error that `data` throws
 * passes through and leaves the old file as it was.
 *
 * @param data text (written as UTF-8), bytes, or bytes as they arrive
 * @throws {FileAccessError} no space, read-only, permission denied: names the path
 */
export async function writeFileAtomically(
  path: string,
  data: string | Uint8Array | AsyncIterable<Uint8Array>,
  files: FileSystem = systemFiles,
): Promise<void> {
  const folder = dirname(path);
  await onFile("create folder", folder, () => files.makeFolder(folder));
  const temporary = join(folder, `.${crypto.randomUUID()}.tmp`);
  await writeSynced(
    temporary,
    typeof data === "string" ? new TextEncoder().encode(data) : data,
    path,
    files,
  );
  await moveIntoPlace(temporary, path, files);
}

/**
 * Writes a new file and forces it to the disk; on any error the file is gone again.
 *
 * @param named path that an error names, as a reader does not know the temporary one
 * @throws {FileAccessError} the file cannot be written
 */
export async function writeSynced(
  temporary: string,
  data: Uint8Array | AsyncIterable<Uint8Array>,
  named: string,
  files: FileSystem = systemFiles,
): Promise<void> {
  const file = await onFile("write", named, () => files.create(temporary));
  try {
    try {
      if (data instanceof Uint8Array) await onFile("write", named, () => writeAll(file, data));
      else for await (const part of data) await onFile("write", named, () => writeAll(file, part));
      await onFile("write", named, () => file.sync());
    } finally {
      file.close();
    }
  } catch (error) {
    await discard(temporary, files);
    throw error;
  }
}

/**
 * Renames a written file to its place and forces the folder's entry to the disk.
 *
 * @throws {FileAccessError} it cannot be renamed; the temporary file is gone then
 */
export async function moveIntoPlace(
  temporary: string,
  path: string,
  files: FileSystem = systemFiles,
): Promise<void> {
  try {
    await onFile("write", path, () => files.rename(temporary, path));
  } catch (error) {
    await discard(temporary, files);
    throw error;
  }
  await onFile("write", path, () => files.syncFolder(dirname(path)));
}

/** Removes a temporary file, if it can: the error that led here matters more. */
export async function discard(temporary: string, files: FileSystem = systemFiles): Promise<void> {
  await files.remove(temporary).catch(() => {});
}

async function writeAll(file: NewFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
}

/**
 * Checks that files can be made in a folder, by making one; makes the folder if missing.
 *
 * @throws {FileAccessError} no space, read-only, permission denied: names the path
 */
export async function checkWritable(folder: string): Promise<void> {
  await onFile("create folder", folder, () => Deno.mkdir(folder, { recursive: true }));
  const probe = join(folder, `.${crypto.randomUUID()}.tmp`);
  await writeSynced(probe, new Uint8Array(1), folder);
  await discard(probe);
}
