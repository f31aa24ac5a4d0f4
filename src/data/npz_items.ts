/** The items of an `.npz` that is larger than the memory allowed: by index, or in their order. */
import { createInflateRaw } from "node:zlib";
import type { StoredData, StreamedData } from "./dataset.ts";
import { type DataFile, findFile, plainSize, storedParts, unpackParts } from "./folder.ts";
import { parseNpy } from "./npy.ts";
import { openNpyItems, streamNpyItems } from "./npy_items.ts";
import { labelsOf } from "./npz.ts";
import { readMember, type ZipMember, zipMembers } from "./zip_directory.ts";

/**
 * As `readNpz`, with items that stay on disk; null if they take at most so many bytes in memory, or
 * are packed or of 64-bit numbers.
 *
 * @throws {DataError} as `readNpz`
 */
export async function openNpz(
  folder: string,
  name: string,
  budgetBytes: number,
): Promise<StoredData | null> {
  const arrays = await findArrays(folder, name);
  if (arrays === null || !arrays.x.isStored) return null;
  const { file, x, y } = arrays;
  const opened = openNpyItems({ ...x, file }, `${file.label} x`, budgetBytes);
  return opened && { ...opened, labels: labelsIn(file, y) };
}

/**
 * As `readNpz`, with items that are read in their order; null if that cannot be.
 *
 * @throws {DataError} as `readNpz`
 */
export async function streamNpz(folder: string, name: string): Promise<StreamedData | null> {
  const arrays = await findArrays(folder, name);
  if (arrays === null) return null;
  const { file, x, y } = arrays;
  const content = () => {
    const stored = storedParts(file, x.start, x.packed);
    return x.isStored
      ? stored
      : unpackParts(stored, createInflateRaw(), `${x.name} of ${file.label} as it is not whole`);
  };
  return {
    ...await streamNpyItems(content, `${file.label} x`),
    labels: () => labelsIn(file, y),
  };
}

async function findArrays(folder: string, name: string) {
  const file = await findFile(folder, name);
  // An archive within gzip has no directory that could be read alone.
  if (await plainSize(file) === null) return null;
  const members = zipMembers(file);
  const x = members.find((member) => member.name === "x.npy");
  const y = members.find((member) => member.name === "y.npy");
  return x === undefined || y === undefined ? null : { file, x, y };
}

function labelsIn(file: DataFile, y: ZipMember) {
  return labelsOf(parseNpy(readMember(file, y), `${file.label} y`), `${file.label} y`);
}
