/** Reads the files of a dataset's folder, and none outside it. */
import { gunzipSync } from "node:zlib";
import { DataError, messageOf } from "../core/errors.ts";

/** A dataset is held in memory as it is stored; more than this would end the process. */
const LIMIT_BYTES = 2 ** 32;

/** A file of a dataset, found inside its folder. */
export interface DataFile {
  /** `<dataset>/<file name>`, for messages. */
  readonly label: string;
  readonly path: string;
}

/**
 * Finds a file inside a dataset's folder.
 *
 * @param folder real path of the folder
 * @throws {DataError} the file is missing, or it (or what it links to) lies outside the folder
 */
export async function findFile(folder: string, name: string): Promise<DataFile> {
  const label = `${folder.split(/[\\/]/).at(-1)}/${name}`;
  if (/^[\\/]|^\w:/.test(name) || name.split(/[\\/]/).includes("..")) {
    throw outside(label);
  }
  let path: string;
  try {
    path = await Deno.realPath(`${folder}/${name}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new DataError(`Cannot read ${label} as there is no such file in ${folder}`);
    }
    // A worker that may read the folder only is stopped here by its permissions.
    if (error instanceof Deno.errors.NotCapable) throw outside(label);
    throw new DataError(`Cannot read ${label}: ${messageOf(error)}`);
  }
  const inside = path.startsWith(folder.endsWith("/") ? folder : folder + "/") ||
    path.startsWith(folder + "\\");
  if (!inside) throw outside(label);
  return { label, path };
}

function outside(label: string): DataError {
  return new DataError(
    `Cannot read ${label} as it lies outside its dataset's folder: name a file inside it`,
  );
}

/**
 * Reads a whole file, unpacking gzip where its first two bytes say so.
 *
 * @throws {DataError} the file cannot be read or unpacked, or is larger than memory can be
 */
export async function readBytes({ label, path }: DataFile): Promise<Uint8Array<ArrayBuffer>> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    const { size } = await Deno.stat(path);
    if (size > LIMIT_BYTES) throw tooLarge(label, `${Math.ceil(size / 2 ** 20)} MB`);
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`Cannot read ${label}: ${messageOf(error)}`);
  }
  if (!isGzip(bytes)) return bytes;
  try {
    return new Uint8Array(gunzipSync(bytes, { maxOutputLength: LIMIT_BYTES }));
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") {
      throw tooLarge(label, "more once unpacked");
    }
    throw new DataError(`Cannot unpack ${label} as it is not whole gzip: ${messageOf(error)}`);
  }
}

/**
 * An error for data that would take more memory than allowed, and cannot be read batch by batch.
 *
 * @param remedy what to do so that they can
 */
export function overBudget(
  label: string,
  bytes: number,
  budgetBytes: number,
  remedy: string,
): DataError {
  const megabytes = (count: number) => `${Math.ceil(count / 2 ** 20)} MB`;
  return new DataError(
    `Cannot hold ${label} of ${megabytes(bytes)} in memory as training.dataset_memory_mb allows ` +
      `${megabytes(budgetBytes)}, and as it is stored it cannot be read batch by batch: ` +
      `${remedy}, or allow more`,
  );
}

function tooLarge(label: string, size: string): DataError {
  return new DataError(
    `Cannot read ${label} of ${size} as at most ${LIMIT_BYTES / 2 ** 20} MB are held in memory: ` +
      "divide the data among more clients",
  );
}

/**
 * Reads the first `length` bytes of a file (fewer if it is shorter) without loading the rest.
 *
 * @throws {DataError} the file cannot be read or unpacked
 */
export async function readStart(file: DataFile, length: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let have = 0;
  try {
    using handle = await Deno.open(file.path);
    const magic = new Uint8Array(2);
    await handle.read(magic);
    await handle.seek(0, Deno.SeekMode.Start);
    const stream = isGzip(magic)
      ? handle.readable.pipeThrough(new DecompressionStream("gzip"))
      : handle.readable;
    for await (const chunk of stream) {
      chunks.push(chunk);
      have += chunk.length;
      if (have >= length) break;
    }
  } catch (error) {
    throw new DataError(`Cannot read ${file.label}: ${messageOf(error)}`);
  }
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()).subarray(0, length);
}

/** Size of a file in bytes; null if it is gzip, whose content has another. */
export async function plainSize(file: DataFile): Promise<number | null> {
  const magic = new Uint8Array(2);
  using handle = await Deno.open(file.path);
  await handle.read(magic);
  return isGzip(magic) ? null : (await handle.stat()).size;
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}
