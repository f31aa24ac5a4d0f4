/** Turns the cells of a column into numbers of a sorted list of names. */
import type { ColumnValues } from "./partition.ts";

/** The different cells, sorted (as numbers if all are), and which of them each row has. */
export function columnValues(cells: readonly string[]): ColumnValues {
  const names = [...new Set(cells)];
  const numeric = names.every((name) => name !== "" && Number.isFinite(Number(name)));
  if (numeric) names.sort((a, b) => Number(a) - Number(b));
  else names.sort();
  const places = new Map(names.map((name, place) => [name, place]));
  return { names, values: Int32Array.from(cells, (cell) => places.get(cell)!) };
}
