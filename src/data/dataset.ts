/**
 * What a dataset is: items and labels as typed arrays, and how stored numbers become the model's
 * input. Readers (one file a format) produce {@link RawData}; the rest works on {@link Dataset}.
 */

/** Numbers as they lie in memory: images stay bytes and are scaled batch by batch. */
export type NumberArray = Uint8Array | Int32Array | Float32Array;

/** What a reader finds in its files. */
export interface RawData {
  /** All items one after another: [count, ...shape]. */
  readonly items: NumberArray;
  /** Shape of one item; images are [height, width, channels]. */
  readonly shape: readonly number[];
  readonly labels: RawLabels;
}

/** Labels as stored: class numbers, or the numbers that a regression shall predict. */
export interface RawLabels {
  /** Int32Array: class numbers, one an item. Float32Array: targets, [count, ...shape]. */
  readonly values: Int32Array | Float32Array;
  /** Shape of one target; empty for class numbers and single numbers. */
  readonly shape: readonly number[];
  readonly count: number;
  /** File (and array or column) that holds them, for messages. */
  readonly source: string;
}

/** Mean and standard deviation, one number for all or one a channel (the last axis). */
export interface Normalisation {
  readonly mean: number | readonly number[];
  readonly std: number | readonly number[];
}

/** Where a dataset is and how to read it: plain data, so that it can be sent to a worker. */
export interface DatasetSpec {
  /** Name of the dataset's folder. */
  readonly name: string;
  /** Real path of the folder (no symbolic link in it). */
  readonly folder: string;
  readonly files: DataFiles;
  /** Number of classes if the configuration says so. */
  readonly classes: number | null;
  readonly normalise: Normalisation | null;
}

/** The data's file names, relative to the folder. */
export type DataFiles = string | { readonly images: string; readonly labels: string };

/** A dataset in memory, checked: at least one item, labels in range, one label an item. */
export interface Dataset {
  readonly name: string;
  readonly items: NumberArray;
  /** Shape of one item. */
  readonly shape: readonly number[];
  readonly count: number;
  /** Int32Array: class numbers in [0, classes). Float32Array: targets, [count, ...targetShape]. */
  readonly labels: Int32Array | Float32Array;
  readonly targetShape: readonly number[];
  /** Number of classes; null for targets. */
  readonly classes: number | null;
  /** True if the configuration named the number of classes, false if it is the largest label + 1. */
  readonly classesDeclared: boolean;
  /** Items by class; null for targets. */
  readonly labelCounts: readonly number[] | null;
  readonly normalise: Normalisation | null;
}

/** Number of elements of a shape. */
export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
