/** Reads the files of a dataset's folder, and none outside it. */
import { DataError, messageOf } from "../core/errors.ts";
import { firstBytes } from "./parts.ts";

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
  const { gunzipSync } = await import("node:zlib");
  try {
    return new Uint8Array(gunzipSync(bytes, { maxOutputLength: LIMIT_BYTES }));
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") {
      throw tooLarge(label, "more once unpacked");
    }
    throw new DataError(`Cannot unpack ${label} as it is not whole gzip: ${messageOf(error)}`);
  }
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
export function readStart(file: DataFile, length: number): Promise<Uint8Array<ArrayBuffer>> {
  return firstBytes(readParts(file), length);
}

/** Bytes of a file that are read at once. */
const PART_BYTES = 2 ** 16;

/**
 * The content of a file, some bytes at a time, unpacked where it is gzip.
 *
 * @throws {DataError} the file cannot be read or unpacked
 */
export async function* readParts(file: DataFile): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const parts = storedParts(file);
  if (await plainSize(file) !== null) return yield* parts;
  const { createGunzip } = await import("node:zlib");
  yield* unpackParts(parts, createGunzip(), `${file.label} as it is not whole gzip`);
}

/**
 * Bytes of a file as they are stored, some at a time.
 *
 * @throws {DataError} the file cannot be read
 */
export async function* storedParts(
  { label, path }: DataFile,
  start = 0,
  length = Infinity,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  try {
    using handle = await Deno.open(path);
    if (start > 0) await handle.seek(start, Deno.SeekMode.Start);
    for (let left = length; left > 0;) {
      const part = new Uint8Array(Math.min(left, PART_BYTES));
      const got = await handle.read(part);
      if (got === null) return;
      left -= got;
      yield part.subarray(0, got);
    }
  } catch (error) {
    throw new DataError(`Cannot read ${label}: ${messageOf(error)}`);
  }
}

/**
 * Unpacks bytes by one of zlib's streams.
 *
 * @param what what is unpacked, and why that failed if it does
 * @throws {DataError} they are not whole
 */
export async function* unpackParts(
  parts: AsyncIterable<Uint8Array<ArrayBuffer>>,
  unpack: NodeJS.ReadWriteStream,
  what: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  // Most data are not packed, and need not wait for these.
  const { pipeline, Readable } = await import("node:stream");
  try {
    yield* pipeline(Readable.from(parts), unpack, () => {}) as unknown as AsyncIterable<
      Uint8Array<ArrayBuffer>
    >;
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`Cannot unpack ${what}: ${messageOf(error)}`);
  }
}

/**
 * Whether a file's content takes at most so many bytes, unpacked where it is gzip.
 *
 * @throws {DataError} as {@link readParts}
 */
export async function holdsAtMost(file: DataFile, bytes: number): Promise<boolean> {
  const plain = await plainSize(file);
  if (plain !== null) return plain <= bytes;
  let have = 0;
  for await (const part of readParts(file)) {
    have += part.length;
    if (have > bytes) return false;
  }
  return true;
}

/**
 * Size of a file in bytes; null if it is gzip, whose content has another.
 *
 * @throws {DataError} the file cannot be read
 */
export async function plainSize({ label, path }: DataFile): Promise<number | null> {
  const magic = new Uint8Array(2);
  try {
    using handle = await Deno.open(path);
    await handle.read(magic);
    return isGzip(magic) ? null : (await handle.stat()).size;
  } catch (error) {
    throw new DataError(`Cannot read ${label}: ${messageOf(error)}`);
  }
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}
