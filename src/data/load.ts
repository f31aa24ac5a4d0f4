/** Loads and checks a dataset: the one door through which data reach the training. */
import { DataError } from "../core/errors.ts";
import {
  BYTES_EACH,
  type Dataset,
  type DatasetSpec,
  elements,
  type NumberArray,
  type RawData,
  type RawLabels,
  type ResidentDataset,
  rowsOf,
  type StoredData,
  typeOf,
} from "./dataset.ts";
import { readerOf } from "./readers.ts";

/**
 * Reads a dataset into memory.
 *
 * @throws {DataError} a file is missing, truncated or of a wrong format; there are no items; items
 * and labels differ in number; a label is out of range; a number is NaN or infinite; the
 * normalisation has not one number for each channel
 */
export async function loadDataset(spec: DatasetSpec): Promise<ResidentDataset> {
  const data = await readerOf(spec).read(spec.folder);
  return { ...checkedDataset(spec, data), items: data.items };
}

/**
 * Reads a dataset into memory, unless its items take more than so many bytes there and can be read
 * where they are: then they stay on disk and are read batch by batch, until they are closed. It has
 * the same items either way. What is packed is made readable by `unpackedWithin`.
 *
 * @throws {DataError} as {@link loadDataset}
 */
export async function loadWithin(spec: DatasetSpec, budgetBytes: number): Promise<Dataset> {
  const stored = await readerOf(spec).open?.(spec.folder, budgetBytes) ?? null;
  if (stored === null) return await loadDataset(spec);
  try {
    return checkedDataset(spec, stored);
  } catch (error) {
    stored.items.close();
    throw error;
  }
}

/** What a dataset is besides its numbers. */
type DatasetFacts = Pick<DatasetSpec, "name" | "classes" | "normalise">;

/** Checks what a reader found. @throws {DataError} as {@link loadDataset} */
export function checkedDataset(spec: DatasetFacts, data: RawData | StoredData): Dataset {
  const { items, shape, labels } = data;
  // An item without elements cannot tell how many there are.
  const size = elements(shape) * BYTES_EACH[typeOf(items)];
  const count = size === 0 ? 0 : items.byteLength / size;
  checkCount(spec, count, labels);
  checkNormalisation(spec, shape);
  checkItems(spec.name, data, count);
  checkNumbers(spec.name, "target", labels.values, elements(labels.shape));
  return {
    name: spec.name,
    items,
    shape,
    count,
    labels: labels.values,
    targetShape: labels.shape,
    ...countLabels(labels, spec.classes),
    classesDeclared: spec.classes !== null,
    normalise: spec.normalise,
  };
}

/** Items that are looked at together if they are on disk. */
const CHECKED_AT_ONCE = 256;

function checkItems(name: string, { items, shape }: RawData | StoredData, count: number): void {
  const size = elements(shape);
  if (ArrayBuffer.isView(items)) return checkNumbers(name, "item", items, size);
  if (items.type !== "f32") return;
  const rows = rowsOf({ items, shape });
  for (let first = 0; first < count; first += CHECKED_AT_ONCE) {
    const length = Math.min(CHECKED_AT_ONCE, count - first);
    const values = new Float32Array(length * size);
    const indices = Int32Array.from({ length }, (_, n) => first + n);
    rows.read(indices, new Uint8Array(values.buffer), size * BYTES_EACH.f32);
    checkNumbers(name, "item", values, size, first);
  }
}

/** @throws {DataError} there are no items, or not as many labels */
export function checkCount(spec: DatasetFacts, count: number, labels: RawLabels): void {
  if (count !== labels.count) {
    throw new DataError(
      `Cannot use dataset ${spec.name} of ${count} items: ${labels.source} has ${labels.count} labels`,
    );
  }
  if (count === 0) {
    throw new DataError(`Cannot use dataset ${spec.name} as ${labels.source} holds no items`);
  }
}

/**
 * Counts the items of each class.
 *
 * @param declared number of classes, or null for the highest label plus 1
 * @returns nulls if the labels are targets of a regression
 * @throws {DataError} a label is negative or not below the number of classes
 */
export function countLabels(
  { values, source }: RawLabels,
  declared: number | null,
): { classes: number | null; labelCounts: readonly number[] | null } {
  if (values instanceof Float32Array) return { classes: null, labelCounts: null };
  const classes = declared ?? values.reduce((most, label) => Math.max(most, label), 0) + 1;
  if (classes > MAX_CLASSES) {
    throw new DataError(
      `Cannot use ${source} with ${classes} classes: at most ${MAX_CLASSES}, numbered from 0`,
    );
  }
  const labelCounts = new Array<number>(classes).fill(0);
  values.forEach((label, row) => {
    if (label < 0 || label >= classes) {
      const rule = declared === null ? "labels count from 0" : `num_classes is ${classes}`;
      throw new DataError(`Cannot use ${source} with label ${label} in row ${row + 1}: ${rule}`);
    }
    labelCounts[label]! += 1;
  });
  return { classes, labelCounts };
}

/** More than any real vocabulary; a larger label is a file read wrongly. */
const MAX_CLASSES = 1_000_000;

/** One such number would spoil every weight, long after the batch that held it. */
function checkNumbers(
  name: string,
  what: string,
  values: NumberArray,
  size: number,
  firstItem = 0,
): void {
  if (!(values instanceof Float32Array)) return;
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new DataError(
    `Cannot use dataset ${name} as number ${at % size} of ${what} ${
      firstItem + Math.floor(at / size)
    } ` +
      `is ${values[at]}: all must be finite`,
  );
}

function checkNormalisation({ name, normalise }: DatasetFacts, shape: readonly number[]): void {
  const channels = shape.at(-1) ?? 1;
  for (const key of ["mean", "std"] as const) {
    const value = normalise?.[key];
    if (Array.isArray(value) && value.length !== channels) {
      throw new DataError(
        `Cannot use dataset ${name} with ${value.length} numbers in normalize.${key}: ` +
          `its items of shape [${shape}] have ${channels} channels`,
      );
    }
  }
}
