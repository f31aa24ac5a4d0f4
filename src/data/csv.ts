/**
 * CSV tables: a header, a row an item, numbers only. The column `label`, or else the last one, is
 * the label: class numbers if all are whole and not negative, otherwise targets of a regression.
 */
import { parse } from "csv-parse/sync";
import { DataError, messageOf } from "../core/errors.ts";
import type { RawData } from "./dataset.ts";
import { findFile, readBytes } from "./folder.ts";

/**
 * Reads a CSV file.
 *
 * @throws {DataError} no such file, not CSV, fewer than two columns, or a cell that is not a number
 */
export async function readCsv(folder: string, name: string): Promise<RawData> {
  const file = await findFile(folder, name);
  return parseCsv(new TextDecoder().decode(await readBytes(file)), file.label);
}

/** Reads the labels; of a CSV file that means reading it all. */
export async function summariseCsv(folder: string, name: string) {
  const { labels } = await readCsv(folder, name);
  return { count: labels.count, labels };
}

/** As {@link readCsv}, of text. */
export function parseCsv(text: string, label: string): RawData {
  let table: string[][];
  try {
    table = parse(text, { bom: true, trim: true, skip_empty_lines: true });
  } catch (error) {
    throw new DataError(`Cannot read ${label}: ${messageOf(error)}`);
  }
  const [header, ...rows] = table;
  if (header === undefined || header.length < 2) {
    throw new DataError(`Cannot read ${label}: a header and at least two columns are needed`);
  }
  const named = header.indexOf("label");
  const labelColumn = named === -1 ? header.length - 1 : named;
  const width = header.length - 1;
  const items = new Float32Array(rows.length * width);
  const labels = new Float64Array(rows.length);
  rows.forEach((cells, row) => {
    let next = row * width;
    cells.forEach((cell, column) => {
      const value = cell === "" ? NaN : Number(cell);
      if (!Number.isFinite(value)) {
        throw new DataError(
          `Cannot read ${label} row ${row + 1} column "${header[column]}": ` +
            `"${cell.slice(0, 40)}" is not a finite number`,
        );
      }
      if (column === labelColumn) labels[row] = value;
      else items[next++] = value;
    });
  });
  const isClass = labels.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 31);
  const values = isClass ? Int32Array.from(labels) : Float32Array.from(labels);
  const source = `${label} column "${header[labelColumn]}"`;
  return { items, shape: [width], labels: { values, shape: [], count: rows.length, source } };
}
