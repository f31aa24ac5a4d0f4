/** Text tables without lines, that give up columns rather than wrap on a narrow terminal. */
import stringWidth from "string-width";
import { printable } from "./printable.ts";

/** One column. */
export interface Column {
  readonly title: string;
  /** @default {"left"} */
  readonly align?: "left" | "right";
  /** Order in which columns are given up where the width is too small; those without it stay. */
  readonly dropped?: number;
  /** Least width, so that rows printed later line up. */
  readonly width?: number;
}

const GAP = "  ";

/** Which columns are shown, and how wide. */
export interface TableLayout {
  readonly columns: readonly { readonly index: number; readonly width: number }[];
  /** Characters to which a line is cut. */
  readonly total: number;
}

/**
 * Chooses the columns that fit.
 *
 * @param total characters in a line; Infinity to keep all
 */
export function layOut(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  total: number,
): TableLayout {
  let kept = columns.map(({ title, width = 0 }, index) => {
    const cells = rows.map((row) => stringWidth(row[index] ?? ""));
    return { index, width: Math.max(width, stringWidth(title), ...cells) };
  });
  const order = columns
    .map(({ dropped }, index) => ({ dropped, index }))
    .filter(({ dropped }) => dropped !== undefined)
    .sort((a, b) => a.dropped! - b.dropped!);
  for (const { index } of order) {
    if (widthOf(kept) <= total) break;
    kept = kept.filter((column) => column.index !== index);
  }
  return { columns: kept, total };
}

/** One line of a table: cells padded to their columns, cut at the line's end. */
export function formatRow(
  columns: readonly Column[],
  cells: readonly string[],
  { columns: kept, total }: TableLayout,
): string {
  const padded = kept.map(({ index, width }) => {
    const cell = cells[index] ?? "";
    const space = " ".repeat(Math.max(0, width - stringWidth(cell)));
    return columns[index]!.align === "right" ? space + cell : cell + space;
  });
  return cut(padded.join(GAP).trimEnd(), total);
}

/** A whole table with its titles, a line a row. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  total: number,
): string[] {
  const layout = layOut(columns, rows, total);
  const titles = columns.map(({ title }) => title);
  return [titles, ...rows].map((cells) => formatRow(columns, cells, layout));
}

/** Makes text one printable line of at most `width` characters, with `…` for what is missing. */
export function cut(line: string, width: number): string {
  const text = printable(line);
  if (stringWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const character of text) {
    used += stringWidth(character);
    if (used > width - 1) break;
    kept += character;
  }
  return width < 1 ? "" : `${kept}…`;
}

function widthOf(kept: readonly { readonly width: number }[]): number {
  return kept.reduce((sum, { width }) => sum + width, GAP.length * (kept.length - 1));
}
