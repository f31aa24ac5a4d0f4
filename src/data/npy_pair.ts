/** Pairs of `.npy` files: items [count, ...shape] and labels [count] or [count, ...targets]. */
import type { RawData, RawLabels, StoredData, StreamedData } from "./dataset.ts";
import { findFile, plainSize, readBytes, readParts } from "./folder.ts";
import type { IdxPair } from "./idx.ts";
import { parseNpy } from "./npy.ts";
import { openNpyItems, streamNpyItems } from "./npy_items.ts";
import { itemShape, labelsOf } from "./npz.ts";

/** Reads both. @throws {DataError} a file is missing or no readable array */
export async function readNpyPair(folder: string, pair: IdxPair): Promise<RawData> {
  const file = await findFile(folder, pair.images);
  const { values, shape } = parseNpy(await readBytes(file), file.label);
  return {
    items: values,
    shape: itemShape(shape, values instanceof Uint8Array, file.label),
    labels: await readLabels(folder, pair),
  };
}

/** Reads the labels only; the number of items is taken from them. @throws {DataError} as {@link readNpyPair} */
export async function summariseNpyPair(folder: string, pair: IdxPair) {
  await findFile(folder, pair.images);
  const labels = await readLabels(folder, pair);
  return { count: labels.count, labels };
}

/**
 * As {@link readNpyPair}, with items that stay on disk; null if they take at most so many bytes in
 * memory, or are packed by gzip or of 64-bit numbers.
 *
 * @throws {DataError} as {@link readNpyPair}
 */
export async function openNpyPair(
  folder: string,
  pair: IdxPair,
  budgetBytes: number,
): Promise<StoredData | null> {
  const file = await findFile(folder, pair.images);
  const size = await plainSize(file);
  if (size === null) return null;
  const labels = await readLabels(folder, pair);
  const opened = openNpyItems({ file, start: 0, size }, file.label, budgetBytes);
  return opened && { ...opened, labels };
}

/** As {@link readNpyPair}, with items that are read in their order. @throws {DataError} as it */
export async function streamNpyPair(folder: string, pair: IdxPair): Promise<StreamedData> {
  const file = await findFile(folder, pair.images);
  return {
    ...await streamNpyItems(() => readParts(file), file.label),
    labels: () => readLabels(folder, pair),
  };
}

async function readLabels(folder: string, pair: IdxPair): Promise<RawLabels> {
  const file = await findFile(folder, pair.labels);
  return labelsOf(parseNpy(await readBytes(file), file.label), file.label);
}
