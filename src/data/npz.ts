/** NumPy's `.npz`: a zip of `.npy` files, of which `x` holds the items and `y` the labels. */
import { unzipSync } from "fflate";
import { DataError, messageOf } from "../core/errors.ts";
import type { RawData, RawLabels } from "./dataset.ts";
import { findFile, plainSize, readBytes } from "./folder.ts";
import { type NpyArray, parseNpy } from "./npy.ts";
import { readMember, zipMembers } from "./zip_directory.ts";

/**
 * Reads the arrays `x` [items, ...shape] and `y` [items] or [items, ...targets].
 *
 * @throws {DataError} no such file, not a zip, or an array is missing or not readable
 */
export async function readNpz(folder: string, name: string): Promise<RawData> {
  const { x, y, label } = await readArrays(folder, name, ["x", "y"]);
  return {
    items: x!.values,
    shape: itemShape(x!.shape, x!.values instanceof Uint8Array, label),
    labels: labelsOf(y!, `${label} y`),
  };
}

/**
 * Shape of an item of the array `x`.
 *
 * @throws {DataError} it has no axis of items
 */
export function itemShape(
  [count, ...shape]: readonly number[],
  isBytes: boolean,
  label: string,
): readonly number[] {
  if (count === undefined) {
    throw new DataError(`Cannot read ${label} as x is a single number: an axis of items is needed`);
  }
  // Grey images are often saved without their channel axis.
  return isBytes && shape.length === 2 ? [...shape, 1] : shape;
}

/** Reads the labels only; the number of items is taken from them. */
export async function summariseNpz(folder: string, name: string) {
  const file = await findFile(folder, name);
  const source = `${file.label} y`;
  // An archive within gzip has no directory that could be read alone.
  const member = await plainSize(file) === null
    ? undefined
    : zipMembers(file).find((member) => member.name === "y.npy");
  const y = member === undefined
    ? (await readArrays(folder, name, ["y"])).y!
    : parseNpy(readMember(file, member), source);
  const labels = labelsOf(y, source);
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

/** The array `y` as labels. @throws {DataError} it has no axis of items */
export function labelsOf({ values, shape }: NpyArray, source: string): RawLabels {
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
