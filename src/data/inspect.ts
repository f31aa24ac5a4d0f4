/** Looks into a dataset and lists all that is wrong with it, where loading stops at the first. */
import { DataError } from "../core/errors.ts";
import {
  type DatasetSpec,
  elements,
  type NumberArray,
  type NumberType,
  type RawLabels,
  type StreamedData,
} from "./dataset.ts";
import { tellingNames } from "./label_names.ts";
import { readerOf } from "./readers.ts";
import { streamOf } from "./streamed.ts";
import type { OnBadCell } from "./table.ts";

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

/** How stored numbers are called. */
const STORED_AS = { u8: "u1", i32: "i4", f32: "f4" } as const satisfies Record<NumberType, string>;
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
  const data = await streamed(
    spec,
    ({ row, column, cell, wanted }) =>
      note(row, `column "${column}" holds "${cell}", which is ${KINDS[wanted]}`),
  );
  const { type, shape } = data;
  const values = new Summary();
  for await (const part of data.parts()) {
    noteNumbers(part, values.seen, elements(shape), "number", note);
    values.add(part);
  }
  const labels = await data.labels();
  const count = elements(shape) === 0 ? 0 : values.seen / elements(shape);
  if (count !== labels.count) {
    throw new DataError(
      `Cannot inspect ${spec.name} of ${count} items: ${labels.source} has ${labels.count} labels`,
    );
  }
  noteNumbers(labels.values, 0, elements(labels.shape), "target", note);
  const { labelNames } = spec;
  const names = Array.isArray(labelNames) ? labelNames : tellingNames(labels.names ?? []);
  const described = describeLabels(labels, spec.classes, names, note, bad);
  const rows = [...bad].sort(([a], [b]) => a - b).map(([row, reason]) => ({ row, reason }));
  return {
    name: spec.name,
    folder: spec.folder,
    items: count,
    shape,
    type: STORED_AS[type],
    values: values.summary(),
    labels: described,
    bad: rows.length,
    bad_rows: rows.slice(0, SHOWN_ROWS),
  };
}

type Note = (row: number, reason: string) => void;

/** The data, of which no more than some items are held where they can be read so. */
async function streamed(spec: DatasetSpec, onBad: OnBadCell): Promise<StreamedData> {
  const reader = readerOf(spec);
  return await reader.stream(spec.folder, onBad) ??
    streamOf(await reader.read(spec.folder, onBad));
}

/** @param before how many numbers came before these */
function noteNumbers(
  values: NumberArray,
  before: number,
  size: number,
  what: string,
  note: Note,
): void {
  if (!(values instanceof Float32Array)) return;
  values.forEach((value, i) => {
    if (Number.isFinite(value)) return;
    const at = before + i;
    note(Math.floor(at / size) + 1, `${what} ${at % size} is ${value}`);
  });
}

function describeLabels(
  { values, shape }: RawLabels,
  declared: number | null,
  names: readonly string[] | null,
  note: Note,
  bad: ReadonlyMap<number, string>,
): Inspection["labels"] {
  if (values instanceof Float32Array) {
    return { kind: "targets", shape, values: new Summary().add(values).summary() };
  }
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

/** Adds numbers up. */
class Summary {
  /** How many numbers were added, finite or not. */
  seen = 0;
  #count = 0;
  #sum = 0;
  #squares = 0;
  #least = Infinity;
  #most = -Infinity;

  add(values: NumberArray): this {
    this.seen += values.length;
    for (const value of values) {
      if (!Number.isFinite(value)) continue;
      this.#count += 1;
      this.#sum += value;
      this.#squares += value * value;
      if (value < this.#least) this.#least = value;
      if (value > this.#most) this.#most = value;
    }
    return this;
  }

  summary(): ValueSummary {
    if (this.#count === 0) return { least: null, most: null, mean: null, std: null };
    const mean = this.#sum / this.#count;
    const variance = Math.max(0, this.#squares / this.#count - mean * mean);
    return { least: this.#least, most: this.#most, mean, std: Math.sqrt(variance) };
  }
}
