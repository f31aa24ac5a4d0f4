/**
 * The binary version of CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html): records of one label
 * and 32 x 32 pixels, all red values first, then green, then blue.
 */
import { DataError } from "../core/errors.ts";
import type { RawData } from "./dataset.ts";
import { findFile, readBytes } from "./folder.ts";

const SIDE = 32;
const PIXELS = SIDE * SIDE;
const RECORD = 1 + 3 * PIXELS;

/** Names of its files. */
export const CIFAR10_FILES = {
  train: [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`),
  test: ["test_batch.bin"],
} as const;

/** Reads batches of records. @throws {DataError} a file is missing or not whole records */
export async function readCifar10(folder: string, names: readonly string[]): Promise<RawData> {
  const batches = [];
  for (const name of names) {
    const file = await findFile(folder, name);
    const bytes = await readBytes(file);
    if (bytes.length === 0 || bytes.length % RECORD !== 0) {
      throw new DataError(
        `Cannot read ${file.label} of ${bytes.length} bytes as CIFAR-10: ` +
          `records of ${RECORD} bytes are needed`,
      );
    }
    batches.push(parseRecords(bytes, file.label));
  }
  const count = batches.reduce((sum, { labels }) => sum + labels.length, 0);
  const items = new Uint8Array(count * 3 * PIXELS);
  const values = new Int32Array(count);
  let next = 0;
  for (const batch of batches) {
    items.set(batch.items, next * 3 * PIXELS);
    values.set(batch.labels, next);
    next += batch.labels.length;
  }
  const source = `${folder.split(/[\\/]/).at(-1)}/${names[0]}`;
  return { items, shape: [SIDE, SIDE, 3], labels: { values, shape: [], count, source } };
}

function parseRecords(bytes: Uint8Array, label: string) {
  const count = bytes.length / RECORD;
  const items = new Uint8Array(count * 3 * PIXELS);
  const labels = new Int32Array(count);
  for (let record = 0; record < count; record++) {
    const start = record * RECORD;
    labels[record] = bytes[start]!;
    if (labels[record]! > 9) {
      throw new DataError(
        `Cannot read ${label} as CIFAR-10 as record ${record + 1} has label ${labels[record]}`,
      );
    }
    // Planes become channels of a pixel.
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      for (let channel = 0; channel < 3; channel++) {
        items[(record * PIXELS + pixel) * 3 + channel] =
          bytes[start + 1 + channel * PIXELS + pixel]!;
      }
    }
  }
  return { items, labels };
}
