/** Printing a list: a table for people, or a JSON object per line for programs. */
import { coloursFor } from "./colours.ts";
import { type Output, standardOutput } from "./output.ts";
import { printable } from "./printable.ts";
import { type Column, formatTable } from "./table.ts";

/** How to print a list. */
export interface PrintOptions {
  readonly json: boolean;
  /** What to say instead of an empty table. */
  readonly none: string;
  /** @default {standardOutput} */
  readonly output?: Output;
}

/** Prints one row an item; columns are given up only on a terminal, as files have no width. */
export function printRows<T>(
  columns: readonly Column[],
  items: readonly T[],
  cellsOf: (item: T) => string[],
  { json, none, output = standardOutput }: PrintOptions,
): void {
  if (json) {
    for (const item of items) output.write(`${JSON.stringify(item)}\n`);
  } else if (items.length === 0) {
    output.write(`${none}\n`);
  } else {
    const rows = items.map((item) => cellsOf(item).map(printable));
    const total = output.isTerminal ? output.size().columns : Infinity;
    const [titles, ...lines] = formatTable(columns, rows, total);
    output.write(`${[coloursFor(output).bold(titles!), ...lines].join("\n")}\n`);
  }
}
