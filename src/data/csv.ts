/** CSV tables: a header, then a row an item. */
import { parse } from "csv-parse/sync";
import { DataError, messageOf } from "../core/errors.ts";
import type { RawData } from "./dataset.ts";
import { findFile, readBytes } from "./folder.ts";
import { type OnBadCell, type Table, type TableChoice, tableData } from "./table.ts";

/**
 * Reads the items and labels of a CSV file.
 *
 * @throws {DataError} no such file, not CSV, fewer than two columns, or a cell that is not a number
 */
export async function readCsv(
  folder: string,
  name: string,
  choice: TableChoice = {},
  onBad?: OnBadCell,
): Promise<RawData> {
  return tableData(await readCsvTable(folder, name), choice, onBad);
}

/** Reads a CSV file as text cells. @throws {DataError} no such file, or not CSV with a header */
export async function readCsvTable(folder: string, name: string): Promise<Table> {
  const file = await findFile(folder, name);
  return csvTable(new TextDecoder().decode(await readBytes(file)), file.label);
}

/** Items and labels of CSV text. @throws {DataError} as {@link readCsv} */
export function parseCsv(text: string, label: string, choice: TableChoice = {}): RawData {
  return tableData(csvTable(text, label), choice);
}

function csvTable(text: string, source: string): Table {
  let table: string[][];
  try {
    table = parse(text, { bom: true, trim: true, skip_empty_lines: true });
  } catch (error) {
    throw new DataError(`Cannot read ${source}: ${messageOf(error)}`);
  }
  const [columns, ...rows] = table;
  if (columns === undefined || columns.length < 2) {
    throw new DataError(`Cannot read ${source}: a header and at least two columns are needed`);
  }
  return { source, columns, rows };
}
