/**
 * Tables: a row an item, numbers only. The column `label`, or else the last one, is the label:
 * class numbers if all are whole and not negative, names of classes if none is a number, otherwise
 * targets of a regression.
 */
import { DataError } from "../core/errors.ts";
import { sortedNames } from "../core/sorted_names.ts";
import type { RawData } from "./dataset.ts";
import type { LabelNames } from "./label_names.ts";

/** What a format's reader found. */
export interface Table {
  /** `<dataset>/<file name>`, for messages. */
  readonly source: string;
  readonly columns: readonly string[];
  /** [rows][columns]: text, or numbers where the format has types. */
  readonly rows: readonly (readonly unknown[])[];
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
 * Items and labels of a table.
 *
 * @param onBad gets every cell that is not a finite number, which then counts as NaN, and every label
 * that is none of the names
 * @throws {DataError} fewer than two columns, no such column, labels that are words without names for
 * them, or, without `onBad`, a bad cell
 */
export function tableData(
  { source, columns, rows }: Table,
  { label, without, labelNames }: TableChoice = {},
  onBad: OnBadCell = (bad) => refuse(source, bad),
): RawData {
  const labelColumn = label === undefined ? defaultLabel(columns, without) : place(label);
  const left = without === undefined ? null : place(without);
  const inputs = columns.flatMap((_, i) => i === labelColumn || i === left ? [] : [i]);
  if (labelColumn < 0 || inputs.length === 0) {
    throw new DataError(
      `Cannot read ${source} with ${columns.length} columns: at least two are needed, ` +
        "a label and what to learn it from",
    );
  }
  const cells = rows.map((row) => row[labelColumn]);
  const labelSource = `${source} column "${columns[labelColumn]}"`;
  const names = namesOf(cells, labelNames, labelSource);
  const places = names && new Map(names.map((name, place) => [name, place]));
  const items = new Float32Array(rows.length * inputs.length);
  const labels = new Float64Array(rows.length);
  rows.forEach((cells, row) => {
    const read = (column: number, isLabel: boolean) => {
      const cell = cells[column];
      const byName = isLabel ? places : null;
      const value = byName ? byName.get(wordOf(cell)) ?? NaN : finite(cell);
      if (Number.isNaN(value)) {
        const wanted = byName ? "one of label_names" : "a finite number";
        onBad({ row: row + 1, column: columns[column]!, cell: shown(cell), wanted });
      }
      return value;
    };
    labels[row] = read(labelColumn, true);
    inputs.forEach((column, i) => items[row * inputs.length + i] = read(column, false));
  });
  // A bad cell says nothing about what the other labels are.
  const isClass = labels.every((value) =>
    Number.isNaN(value) || Number.isInteger(value) && value >= 0 && value < 2 ** 31
  );
  const values = isClass ? Int32Array.from(labels) : Float32Array.from(labels);
  return {
    items,
    shape: [inputs.length],
    labels: {
      values,
      shape: [],
      count: rows.length,
      source: labelSource,
      ...(names && { names }),
    },
  };

  function place(name: string): number {
    const found = columns.indexOf(name);
    if (found >= 0) return found;
    throw new DataError(
      `Cannot find column "${name}" in ${source}: its columns are ${columns.join(", ")}`,
    );
  }
}

function defaultLabel(columns: readonly string[], without: string | undefined): number {
  const named = columns.indexOf("label");
  return named >= 0 ? named : columns.findLastIndex((column) => column !== without);
}

/** Names for labels that are words; null for numbers. @throws {DataError} words without names */
function namesOf(
  cells: readonly unknown[],
  given: LabelNames | undefined,
  source: string,
): readonly string[] | null {
  if (Array.isArray(given)) return given;
  const filled = cells.filter((cell) => wordOf(cell) !== "");
  // A word among numbers is a mistake in its row.
  if (filled.length === 0 || filled.some((cell) => !Number.isNaN(finite(cell)))) return null;
  if (given === "sorted") return sortedNames(filled.map(wordOf));
  throw new DataError(
    `Cannot number the labels of ${source}, such as "${shown(filled[0])}": list all of them as ` +
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
