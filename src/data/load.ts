/** Loads and checks a dataset: the one door through which data reach the training. */
import { DataError } from "../core/errors.ts";
import {
  type Dataset,
  type DatasetSpec,
  elements,
  type NumberArray,
  type RawData,
  type RawLabels,
} from "./dataset.ts";
import { readerOf } from "./readers.ts";

/**
 * Reads a dataset into memory.
 *
 * @throws {DataError} a file is missing, truncated or of a wrong format; there are no items; items
 * and labels differ in number; a label is out of range; a number is NaN or infinite; the
 * normalisation has not one number for each channel
 */
export async function loadDataset(spec: DatasetSpec): Promise<Dataset> {
  return checkedDataset(spec, await readerOf(spec).read(spec.folder));
}

/** What a dataset is besides its numbers. */
type DatasetFacts = Pick<DatasetSpec, "name" | "classes" | "normalise">;

/** Checks what a reader found. @throws {DataError} as {@link loadDataset} */
export function checkedDataset(
  spec: DatasetFacts,
  { items, shape, labels }: RawData,
): Dataset {
  // An item without elements cannot tell how many there are.
  const count = elements(shape) === 0 ? 0 : items.length / elements(shape);
  checkCount(spec, count, labels);
  checkNormalisation(spec, shape);
  checkNumbers(spec.name, "item", items, elements(shape));
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
function checkNumbers(name: string, what: string, values: NumberArray, size: number): void {
  if (!(values instanceof Float32Array)) return;
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new DataError(
    `Cannot use dataset ${name} as number ${at % size} of ${what} ${Math.floor(at / size)} ` +
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
