/**
 * Unpacks datasets that are larger than the memory they may take, where their files cannot be read
 * by item: once, into a folder with a pair of `.npy` files, in which items lie as in memory.
 */
import { join } from "node:path";
import { DataError, messageOf } from "../core/errors.ts";
import { BYTES_EACH, type DatasetSpec, elements, type StreamedData } from "./dataset.ts";
import { findFile, holdsAtMost, plainSize, readParts } from "./folder.ts";
import { checkCount, countLabels } from "./load.ts";
import { encodeNpy, encodeNpyHeader } from "./npy.ts";
import { inBlocks } from "./parts.ts";
import { readerOf } from "./readers.ts";

/** An unpacked dataset. */
export interface Unpacked {
  /** The same items and labels in the new folder. */
  readonly spec: DatasetSpec;
  /** Bytes that they take on disk. */
  readonly bytes: number;
}

/**
 * Unpacks a dataset if its items may take more than so many bytes in memory, and its files cannot be
 * read by item as they are.
 *
 * @param newFolder names a folder that is made for it, by real path; asked only if it is needed, and
 * removed if nothing was unpacked
 * @param signal ends it
 * @returns null if it fits in memory, or can be read as it is
 * @throws {DataError} as `loadDataset`, except that a number that is NaN or infinite is found by
 * loading what was unpacked; or it cannot be written
 * @throws the signal's reason
 */
export async function unpackedWithin(
  spec: DatasetSpec,
  budgetBytes: number,
  newFolder: () => string,
  signal: AbortSignal,
): Promise<Unpacked | null> {
  try {
    const isArchive = await isPackedArchive(spec, budgetBytes);
    const data = isArchive ? null : await tooLargeData(spec, budgetBytes);
    signal.throwIfAborted();
    if (isArchive) {
      return await madeIn(newFolder(), (into) => unpackArchive(spec, budgetBytes, into, signal));
    }
    return data && await madeIn(newFolder(), (into) => unpackItems(spec, data, into, signal));
  } catch (error) {
    // What fails as its folder was removed meanwhile was ended.
    signal.throwIfAborted();
    throw error;
  }
}

/** What must be unpacked of a dataset; null: nothing. */
async function tooLargeData(
  spec: DatasetSpec,
  budgetBytes: number,
): Promise<StreamedData | null> {
  const { folder } = spec;
  const reader = readerOf(spec);
  const stored = await reader.open?.(folder, budgetBytes) ?? null;
  stored?.items.close();
  if (stored !== null || await reader.surelyFits?.(folder, budgetBytes)) return null;
  const data = await reader.stream(folder);
  return (data?.byteLength ?? Infinity) <= budgetBytes ? null : data;
}

/** Makes a folder and removes it again if nothing comes of it. */
async function madeIn<T>(
  folder: string,
  make: (folder: string) => Promise<T | null>,
): Promise<T | null> {
  await explained(folder, () => Deno.mkdir(folder, { mode: 0o700 }));
  let made: T | null = null;
  try {
    return made = await make(folder);
  } finally {
    if (made === null) await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

const NAMES = { images: "items.npy", labels: "labels.npy" } as const;
/** Bytes that are written at once. */
const BLOCK_BYTES = 2 ** 18;

async function unpackItems(
  spec: DatasetSpec,
  data: StreamedData,
  into: string,
  signal: AbortSignal,
): Promise<Unpacked> {
  const { type, shape } = data;
  // How many items there are may be known only at the end.
  const { length: headerBytes } = encodeNpyHeader(type, [Number.MAX_SAFE_INTEGER, ...shape]);
  const path = join(into, NAMES.images);
  const blocks = inBlocks(data.parts(), BLOCK_BYTES);
  const written = await writeFile(path, blocks, signal, headerBytes);
  const labels = await data.labels();
  const count = written / (elements(shape) * BYTES_EACH[type]);
  checkCount(spec, count, labels);
  countLabels(labels, spec.classes);
  const { values } = labels;
  await explained(into, async () => {
    using file = await Deno.open(path, { write: true });
    await writeAll(file, encodeNpyHeader(type, [count, ...shape], headerBytes));
    await Deno.writeFile(join(into, NAMES.labels), encodeNpy(values, [count, ...labels.shape]));
  });
  const { labelNames: _, ...facts } = spec;
  return {
    spec: { ...facts, folder: into, files: NAMES },
    bytes: written + values.byteLength,
  };
}

/** Formats with a directory or description at their end, which are read from any place. */
const ARCHIVE = /\.(npz|parquet)(\.gz)?$/i;
/** More than this deflate cannot make of a byte. */
const MOST_UNPACKED = 1032;

async function isPackedArchive(
  { folder, files }: DatasetSpec,
  budgetBytes: number,
): Promise<boolean> {
  if (typeof files !== "string" || !ARCHIVE.test(files)) return false;
  const file = await findFile(folder, files);
  if (await plainSize(file) !== null) return false;
  return !await holdsAtMost(file, budgetBytes / MOST_UNPACKED);
}

async function unpackArchive(
  spec: DatasetSpec,
  budgetBytes: number,
  into: string,
  signal: AbortSignal,
): Promise<Unpacked | null> {
  const packed = await findFile(spec.folder, spec.files as string);
  // Messages name a file by its folder.
  const folder = join(into, packed.label.split("/")[0]!);
  const name = (spec.files as string).split(/[\\/]/).at(-1)!.replace(/\.gz$/i, "");
  await explained(into, () => Deno.mkdir(folder));
  const bytes = await writeFile(join(folder, name), readParts(packed), signal);
  const plain = { ...spec, folder, files: name };
  const unpacked = await unpackedWithin(plain, budgetBytes, () => join(into, "unpacked"), signal);
  if (unpacked !== null) {
    await Deno.remove(folder, { recursive: true });
    return unpacked;
  }
  const stored = await readerOf(plain).open?.(folder, budgetBytes) ?? null;
  stored?.items.close();
  return stored && { spec: plain, bytes };
}

/** Writes a file, after so many bytes that are left free. @returns bytes after these */
async function writeFile(
  path: string,
  parts: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  free = 0,
): Promise<number> {
  let written = 0;
  using file = await explained(path, () => Deno.open(path, { write: true, createNew: true }));
  await explained(path, () => file.seek(free, Deno.SeekMode.Start));
  for await (const part of parts) {
    signal.throwIfAborted();
    await explained(path, () => writeAll(file, part));
    written += part.length;
  }
  signal.throwIfAborted();
  return written;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

async function explained<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw new DataError(
      `Cannot unpack a dataset into ${path}: ${messageOf(error)}; ` +
        "free room there, or raise training.dataset_memory_mb",
    );
  }
}
