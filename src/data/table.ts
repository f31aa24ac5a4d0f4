/**
 * Tables: a row an item, numbers only. The column `label`, or else the last one, is the label:
 * class numbers if all are whole and not negative, names of classes if none is a number, otherwise
 * targets of a regression.
 */
import { DataError } from "../core/errors.ts";
import { sortedNames } from "../core/sorted_names.ts";
import { BYTES_EACH, type RawLabels, type StreamedData } from "./dataset.ts";
import type { LabelNames } from "./label_names.ts";

/** A table in a file, which is read some rows at a time. */
export interface Table {
  /** `<dataset>/<file name>`, for messages. */
  readonly source: string;
  readonly columns: readonly string[];
  /** Number of rows; null if only reading them tells. */
  readonly count: number | null;
  /** All rows in their order, from the first at each call. @param wanted columns that are looked at */
  rows(wanted: readonly number[]): AsyncIterable<Rows>;
}

/** Some rows of a table. */
export interface Rows {
  readonly count: number;
  /** Text, or a number where the format has types. */
  cell(row: number, column: number): unknown;
}

/** Which columns mean what. */
export interface TableChoice {
  /** Column of the labels. @default {"label", or else the last one} */
  readonly label?: string;
  /** Column that is no part of the items, such as the one that says whose they are. */
  readonly without?: string;
  /** Names of the classes, where labels are words. @default words are refused */
  readonly labelNames?: LabelNames;
}

/** A cell that is not what it must be. */
export interface BadCell {
  /** Counts from 1, without the header. */
  readonly row: number;
  readonly column: string;
  readonly cell: string;
  /** What it is not. */
  readonly wanted: "a finite number" | "one of label_names";
}

/** What to do with a bad cell; without it, reading ends with an error. */
export type OnBadCell = (bad: BadCell) => void;

/**
 * Items and labels of a table, some rows at a time.
 *
 * @param onBad gets every cell that is not a finite number, which then counts as NaN, and every label
 * that is none of the names
 * @throws {DataError} fewer than two columns, no such column, labels that are words without names for
 * them, or (with the part that it lies in) without `onBad`, a bad cell
 */
export async function streamTable(
  table: Table,
  choice: TableChoice = {},
  onBad: OnBadCell = (bad) => refuse(table.source, bad),
): Promise<StreamedData> {
  const columns = columnsOf(table, choice);
  const names = await namesOf(table, columns, choice.labelNames);
  const numbers = new TableNumbers(table, columns, names, onBad);
  const size = columns.inputs.length;
  return {
    type: "f32",
    shape: [size],
    byteLength: table.count === null ? null : table.count * size * BYTES_EACH.f32,
    async *parts() {
      for await (const rows of table.rows([columns.label, ...columns.inputs])) {
        yield numbers.take(rows);
      }
    },
    labels: () => numbers.labels(),
  };
}

/** The cells of a column as text. @throws {DataError} there is no such column */
export async function columnText(table: Table, name: string): Promise<string[]> {
  const column = placeOf(table, name);
  const text: string[] = [];
  for await (const rows of table.rows([column])) {
    for (let row = 0; row < rows.count; row++) text.push(String(rows.cell(row, column) ?? ""));
  }
  return text;
}

/** Columns by place. */
interface Columns {
  readonly label: number;
  readonly inputs: readonly number[];
  /** What the label is called in messages. */
  readonly labelSource: string;
}

function columnsOf(table: Table, { label: named, without }: TableChoice): Columns {
  const { source, columns } = table;
  const label = named === undefined ? defaultLabel(columns, without) : placeOf(table, named);
  const left = without === undefined ? null : placeOf(table, without);
  const inputs = columns.flatMap((_, i) => i === label || i === left ? [] : [i]);
  if (label < 0 || inputs.length === 0) {
    throw new DataError(
      `Cannot read ${source} with ${columns.length} columns: at least two are needed, ` +
        "a label and what to learn it from",
    );
  }
  return { label, inputs, labelSource: `${source} column "${columns[label]}"` };
}

function placeOf({ source, columns }: Table, name: string): number {
  const found = columns.indexOf(name);
  if (found >= 0) return found;
  throw new DataError(
    `Cannot find column "${name}" in ${source}: its columns are ${columns.join(", ")}`,
  );
}

/** Turns the rows of a table into numbers, in their order. */
class TableNumbers {
  readonly #columnNames: readonly string[];
  readonly #columns: Columns;
  readonly #names: readonly string[] | null;
  readonly #places: ReadonlyMap<string, number> | null;
  readonly #onBad: OnBadCell;
  readonly #labels: Float64Array[] = [];
  #count = 0;
  #areClasses = true;

  constructor(
    { columns: columnNames }: Table,
    columns: Columns,
    names: readonly string[] | null,
    onBad: OnBadCell,
  ) {
    this.#columnNames = columnNames;
    this.#columns = columns;
    this.#names = names;
    this.#places = names && new Map(names.map((name, place) => [name, place]));
    this.#onBad = onBad;
  }

  /** The items of the rows that follow. @throws what `onBad` does */
  take(rows: Rows): Float32Array {
    const { label, inputs } = this.#columns;
    const items = new Float32Array(rows.count * inputs.length);
    const labels = new Float64Array(rows.count);
    for (let row = 0, at = 0; row < rows.count; row++) {
      labels[row] = this.#number(row, label, rows.cell(row, label), this.#places);
      for (const column of inputs) {
        items[at++] = this.#number(row, column, rows.cell(row, column), null);
      }
    }
    // A bad cell says nothing about what the other labels are.
    this.#areClasses &&= labels.every((value) =>
      Number.isNaN(value) || Number.isInteger(value) && value >= 0 && value < 2 ** 31
    );
    this.#labels.push(labels);
    this.#count += rows.count;
    return items;
  }

  /** The labels of the rows taken. */
  labels(): RawLabels {
    const values = new (this.#areClasses ? Int32Array : Float32Array)(this.#count);
    let at = 0;
    for (const part of this.#labels) {
      values.set(part, at);
      at += part.length;
    }
    return {
      values,
      shape: [],
      count: this.#count,
      source: this.#columns.labelSource,
      ...(this.#names && { names: this.#names }),
    };
  }

  #number(
    row: number,
    column: number,
    cell: unknown,
    places: ReadonlyMap<string, number> | null,
  ): number {
    const value = places === null ? finite(cell) : places.get(wordOf(cell)) ?? NaN;
    if (Number.isNaN(value)) {
      this.#onBad({
        row: this.#count + row + 1,
        column: this.#columnNames[column]!,
        cell: shown(cell),
        wanted: places === null ? "a finite number" : "one of label_names",
      });
    }
    return value;
  }
}

function defaultLabel(columns: readonly string[], without: string | undefined): number {
  const named = columns.indexOf("label");
  return named >= 0 ? named : columns.findLastIndex((column) => column !== without);
}

/**
 * Names for labels that are words; null for numbers. The labels are read until one is a number,
 * which the first is where data are right.
 *
 * @throws {DataError} words without names
 */
async function namesOf(
  table: Table,
  { label, labelSource }: Columns,
  given: LabelNames | undefined,
): Promise<readonly string[] | null> {
  if (Array.isArray(given)) return given;
  const words = new Set<string>();
  let first: unknown;
  for await (const rows of table.rows([label])) {
    for (let row = 0; row < rows.count; row++) {
      const cell = rows.cell(row, label);
      const word = wordOf(cell);
      if (word === "") continue;
      // A word among numbers is a mistake in its row.
      if (!Number.isNaN(finite(cell))) return null;
      if (words.size === 0) first = cell;
      if (words.size === 0 || given === "sorted") words.add(word);
    }
  }
  if (words.size === 0) return null;
  if (given === "sorted") return sortedNames(words);
  throw new DataError(
    `Cannot number the labels of ${labelSource}, such as "${shown(first)}": list all of them as ` +
      "label_names in the dataset's configuration, in the same order for every client",
  );
}

function wordOf(cell: unknown): string {
  return String(cell ?? "").trim();
}

function finite(cell: unknown): number {
  const value = typeof cell === "string"
    ? (cell.trim() === "" ? NaN : Number(cell))
    : typeof cell === "number" || typeof cell === "bigint" || typeof cell === "boolean"
    ? Number(cell)
    : NaN;
  return Number.isFinite(value) ? value : NaN;
}

function shown(cell: unknown): string {
  return String(cell ?? "").slice(0, 40);
}

function refuse(source: string, { row, column, cell, wanted }: BadCell): never {
  throw new DataError(
    `Cannot read ${source} row ${row} column "${column}": "${cell}" is not ${wanted}`,
  );
}
