/** Turns the cells of a column into numbers of a sorted list of names. */
import { sortedNames } from "../core/sorted_names.ts";
import type { ColumnValues } from "./partition.ts";

/** The different cells, sorted (as numbers if all are), and which of them each row has. */
export function columnValues(cells: readonly string[]): ColumnValues {
  const names = sortedNames(cells);
  const places = new Map(names.map((name, place) => [name, place]));
  return { names, values: Int32Array.from(cells, (cell) => places.get(cell)!) };
}
