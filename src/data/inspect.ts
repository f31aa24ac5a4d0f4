/** Looks into a dataset and lists all that is wrong with it, where loading stops at the first. */
import { DataError } from "../core/errors.ts";
import { type DatasetSpec, elements, type RawData, type RawLabels } from "./dataset.ts";
import { tellingNames } from "./label_names.ts";
import { readerOf } from "./readers.ts";

/** Numbers at a glance; all null if there is none. */
export interface ValueSummary {
  readonly least: number | null;
  readonly most: number | null;
  readonly mean: number | null;
  /** Standard deviation. */
  readonly std: number | null;
}

/** A row that training would refuse. */
export interface BadRow {
  /** Counts from 1. */
  readonly row: number;
  readonly reason: string;
}

/** What a dataset holds. */
export interface Inspection {
  readonly name: string;
  readonly folder: string;
  readonly items: number;
  /** Shape of an item. */
  readonly shape: readonly number[];
  /** How numbers are stored. */
  readonly type: "u1" | "i4" | "f4";
  /** Of all finite numbers as they are stored: bytes are scaled to [0, 1] when they are trained on. */
  readonly values: ValueSummary;
  readonly labels:
    | {
      readonly kind: "classes";
      readonly classes: number;
      readonly counts: readonly number[];
      /** What the numbers of the classes stand for, if that is known. */
      readonly names: readonly string[] | null;
    }
    | {
      readonly kind: "targets";
      readonly shape: readonly number[];
      readonly values: ValueSummary;
    };
  /** How many rows are bad; the first of them are in `bad_rows`. */
  readonly bad: number;
  readonly bad_rows: readonly BadRow[];
}

/** What a cell is that is not what it must be. */
const KINDS = { "a finite number": "no number", "one of label_names": "not in label_names" };
const SHOWN_ROWS = 20;
/** A histogram of more is of no use, and a label beyond it is a file read wrongly. */
const MOST_CLASSES = 1_000_000;

/**
 * Reads a dataset and describes it, bad rows included.
 *
 * @throws {DataError} its files cannot be read at all, or items and labels differ in number
 */
export async function inspectDataset(spec: DatasetSpec): Promise<Inspection> {
  const bad = new Map<number, string>();
  const note = (row: number, reason: string) => {
    if (!bad.has(row)) bad.set(row, reason);
  };
  const raw = await readerOf(spec).read(
    spec.folder,
    ({ row, column, cell, wanted }) =>
      note(row, `column "${column}" holds "${cell}", which is ${KINDS[wanted]}`),
  );
  const { items, shape, labels } = raw;
  const count = elements(shape) === 0 ? 0 : items.length / elements(shape);
  if (count !== labels.count) {
    throw new DataError(
      `Cannot inspect ${spec.name} of ${count} items: ${labels.source} has ${labels.count} labels`,
    );
  }
  noteNumbers(raw, note);
  const { labelNames } = spec;
  const names = Array.isArray(labelNames) ? labelNames : tellingNames(labels.names ?? []);
  const described = describeLabels(labels, spec.classes, names, note, bad);
  const rows = [...bad].sort(([a], [b]) => a - b).map(([row, reason]) => ({ row, reason }));
  return {
    name: spec.name,
    folder: spec.folder,
    items: count,
    shape,
    type: items instanceof Uint8Array ? "u1" : items instanceof Int32Array ? "i4" : "f4",
    values: summarise(items),
    labels: described,
    bad: rows.length,
    bad_rows: rows.slice(0, SHOWN_ROWS),
  };
}

type Note = (row: number, reason: string) => void;

function noteNumbers({ items, shape, labels }: RawData, note: Note): void {
  const kinds = [
    { values: items, size: elements(shape), what: "number" },
    { values: labels.values, size: elements(labels.shape), what: "target" },
  ];
  for (const { values, size, what } of kinds) {
    if (!(values instanceof Float32Array)) continue;
    values.forEach((value, i) => {
      if (!Number.isFinite(value)) {
        note(Math.floor(i / size) + 1, `${what} ${i % size} is ${value}`);
      }
    });
  }
}

function describeLabels(
  { values, shape }: RawLabels,
  declared: number | null,
  names: readonly string[] | null,
  note: Note,
  bad: ReadonlyMap<number, string>,
): Inspection["labels"] {
  if (values instanceof Float32Array) return { kind: "targets", shape, values: summarise(values) };
  const limit = declared ?? MOST_CLASSES;
  values.forEach((label, row) => {
    if (label >= 0 && label < limit) return;
    const rule = declared === null ? "labels count from 0" : `num_classes is ${declared}`;
    note(row + 1, `label ${label}: ${rule}`);
  });
  const good = values.filter((_, row) => !bad.has(row + 1));
  const classes = declared ?? good.reduce((most, label) => Math.max(most, label), -1) + 1;
  const counts = new Array<number>(classes).fill(0);
  for (const label of good) counts[label]! += 1;
  return { kind: "classes", classes, counts, names };
}

function summarise(values: Uint8Array | Int32Array | Float32Array): ValueSummary {
  let [count, sum, squares, least, most] = [0, 0, 0, Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    count += 1;
    sum += value;
    squares += value * value;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (count === 0) return { least: null, most: null, mean: null, std: null };
  const mean = sum / count;
  return { least, most, mean, std: Math.sqrt(Math.max(0, squares / count - mean * mean)) };
}
