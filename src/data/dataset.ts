/**
 * What a dataset is: items and labels as typed arrays, and how stored numbers become the model's
 * input. Readers (one file a format) produce {@link RawData}; the rest works on {@link Dataset}.
 */
import type { LabelNames } from "./label_names.ts";

/** Numbers as they lie in memory: images stay bytes and are scaled batch by batch. */
export type NumberArray = Uint8Array | Int32Array | Float32Array;

/** Types of numbers by the names that kernels have for them. */
export type NumberType = "u8" | "i32" | "f32";

/** Bytes of a number. */
export const BYTES_EACH: Readonly<Record<NumberType, number>> = { u8: 1, i32: 4, f32: 4 };

/** Items by index, wherever they are. */
export interface Rows {
  readonly type: NumberType;
  /** Copies items as they lie in memory, the one with `indices[i]` to byte `i * stride`. */
  read(indices: Int32Array, into: Uint8Array, stride: number): void;
}

/** Items that are read from a file batch by batch. */
export interface StoredItems extends Rows {
  /** Bytes of all items. */
  readonly byteLength: number;
  close(): void;
}

/** What a reader finds in its files. */
export interface RawData {
  /** All items one after another: [count, ...shape]. */
  readonly items: NumberArray;
  /** Shape of one item; images are [height, width, channels]. */
  readonly shape: readonly number[];
  readonly labels: RawLabels;
}

/** As {@link RawData}, with items that stay on disk. */
export interface StoredData extends Omit<RawData, "items"> {
  readonly items: StoredItems;
}

/** As {@link RawData}, with items that are read once, some at a time. */
export interface StreamedData {
  readonly type: NumberType;
  /** Shape of one item. */
  readonly shape: readonly number[];
  /** Bytes of all items in memory; null if only reading them tells. */
  readonly byteLength: number | null;
  /** The numbers of all items in their order, some at a time; each part is used before the next. */
  parts(): AsyncIterable<NumberArray>;
  /** Known once all parts were read. */
  labels(): RawLabels | Promise<RawLabels>;
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
  /** What class numbers stand for, where the data say it. @default nothing */
  readonly names?: readonly string[];
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
  /** What the labels are, where they are words. @default numbers, or refused */
  readonly labelNames?: LabelNames;
}

/** The data's file names, relative to the folder. */
export type DataFiles = string | { readonly images: string; readonly labels: string };

/** A dataset, checked: at least one item, labels in range, one label an item. */
export interface Dataset {
  readonly name: string;
  /** In memory, or on disk. */
  readonly items: NumberArray | StoredItems;
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

/** A dataset that is wholly in memory. */
export interface ResidentDataset extends Dataset {
  readonly items: NumberArray;
}

/** The type of items. */
export function typeOf(items: Dataset["items"]): NumberType {
  if (items instanceof Uint8Array) return "u8";
  if (items instanceof Int32Array) return "i32";
  return items instanceof Float32Array ? "f32" : items.type;
}

/** Numbers as bytes, in the same memory. */
export function bytesOf({ buffer, byteOffset, byteLength }: NumberArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Bytes as the numbers that they are. */
export function numbersOf(type: NumberType, bytes: Uint8Array<ArrayBuffer>): NumberArray {
  const { buffer, byteOffset, byteLength } = bytes;
  const length = byteLength / BYTES_EACH[type];
  switch (type) {
    case "u8":
      return bytes;
    case "i32":
      return new Int32Array(buffer, byteOffset, length);
    case "f32":
      return new Float32Array(buffer, byteOffset, length);
  }
}

/** What decides how items are read: all of a dataset's items but their numbers. */
export interface ItemKind extends Pick<Dataset, "shape" | "normalise"> {
  readonly type: NumberType;
}

/** The kind of a dataset's items. */
export function itemKind({ items, shape, normalise }: Dataset): ItemKind {
  return { type: typeOf(items), shape, normalise };
}

/** The items of a dataset by index. */
export function rowsOf({ items, shape }: Pick<Dataset, "items" | "shape">): Rows {
  if (!ArrayBuffer.isView(items)) return items;
  const bytes = bytesOf(items);
  const size = elements(shape) * items.BYTES_PER_ELEMENT;
  return {
    type: typeOf(items),
    read(indices, into, stride) {
      for (let row = 0; row < indices.length; row++) {
        const start = indices[row]! * size;
        into.set(bytes.subarray(start, start + size), row * stride);
      }
    },
  };
}

/** Number of elements of a shape. */
export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
