/** NumPy's `.npz`: a zip of `.npy` files, of which `x` holds the items and `y` the labels. */
import { unzipSync } from "fflate";
import { DataError, messageOf } from "../core/errors.ts";
import type { RawData, RawLabels } from "./dataset.ts";
import { findFile, readBytes } from "./folder.ts";
import { type NpyArray, parseNpy } from "./npy.ts";

/**
 * Reads the arrays `x` [items, ...shape] and `y` [items] or [items, ...targets].
 *
 * @throws {DataError} no such file, not a zip, or an array is missing or not readable
 */
export async function readNpz(folder: string, name: string): Promise<RawData> {
  const { x, y, label } = await readArrays(folder, name, ["x", "y"]);
  const [count, ...shape] = x!.shape;
  if (count === undefined) {
    throw new DataError(`Cannot read ${label} as x is a single number: an axis of items is needed`);
  }
  // Grey images are often saved without their channel axis.
  const isImages = x!.values instanceof Uint8Array && shape.length === 2;
  return {
    items: x!.values,
    shape: isImages ? [...shape, 1] : shape,
    labels: labelsOf(y!, `${label} y`),
  };
}

/** Reads the labels only; the number of items is taken from them. */
export async function summariseNpz(folder: string, name: string) {
  const { y, label } = await readArrays(folder, name, ["y"]);
  const labels = labelsOf(y!, `${label} y`);
  return { count: labels.count, labels };
}

async function readArrays(folder: string, name: string, wanted: readonly ("x" | "y")[]) {
  const file = await findFile(folder, name);
  const bytes = await readBytes(file);
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(bytes, {
      filter: (entry) => wanted.some((w) => entry.name === `${w}.npy`),
    });
  } catch (error) {
    throw new DataError(`Cannot read ${file.label} as it is not a whole zip: ${messageOf(error)}`);
  }
  const arrays: { x?: NpyArray; y?: NpyArray } = {};
  for (const array of wanted) {
    const entry = entries[`${array}.npy`];
    if (entry === undefined) {
      throw new DataError(
        `Cannot read ${file.label} as it has no array "${array}": save x (items) and y (labels)`,
      );
    }
    arrays[array] = parseNpy(entry as Uint8Array<ArrayBuffer>, `${file.label} ${array}`);
  }
  return { ...arrays, label: file.label };
}

function labelsOf({ values, shape }: NpyArray, source: string): RawLabels {
  const [count, ...rest] = shape;
  if (count === undefined) {
    throw new DataError(`Cannot read ${source} as it is a single number: one an item is needed`);
  }
  const column = rest.length === 1 && rest[0] === 1;
  if (!(values instanceof Float32Array) && (rest.length === 0 || column)) {
    return { values: Int32Array.from(values), shape: [], count, source };
  }
  return { values: Float32Array.from(values), shape: column ? [] : rest, count, source };
}
