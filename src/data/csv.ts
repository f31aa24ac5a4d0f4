/** CSV tables: a header, then a row an item. */
import { parse } from "csv-parse";
import { pipeline, Readable } from "node:stream";
import { DataError, messageOf } from "../core/errors.ts";
import { findFile, holdsAtMost, readParts } from "./folder.ts";
import type { Table } from "./table.ts";

/** Opens a CSV file. @throws {DataError} no such file, or no header of at least two columns */
export async function openCsv(folder: string, name: string): Promise<Table> {
  const file = await findFile(folder, name);
  return await csvTable(file.label, () => readParts(file));
}

/**
 * Whether the items of a CSV file surely take at most so many bytes in memory: a cell takes at least
 * two bytes of text for the four of its number.
 *
 * @throws {DataError} no such file, or it cannot be unpacked
 */
export async function csvSurelyFits(folder: string, name: string, bytes: number): Promise<boolean> {
  return await holdsAtMost(await findFile(folder, name), bytes / 2);
}

/** More than this a row does not take; a quote that is never closed would make one of all that follow. */
const MOST_ROW_BYTES = 2 ** 26;
/** Cells that are turned into numbers together. */
const CELLS_AT_ONCE = 2 ** 15;

/**
 * A table of CSV text.
 *
 * @param parts its bytes, from the first at each call
 * @throws {DataError} as {@link openCsv}; with the rows, what is no CSV or has another number of columns
 */
export async function csvTable(
  source: string,
  parts: () => AsyncIterable<Uint8Array<ArrayBuffer>>,
): Promise<Table> {
  const columns = await headerOf(source, parts);
  const rowsAtOnce = Math.ceil(CELLS_AT_ONCE / columns.length);
  return {
    source,
    columns,
    count: null,
    async *rows() {
      let isHeader = true;
      let rows: string[][] = [];
      const taken = () => {
        const some = rows;
        rows = [];
        return { count: some.length, cell: (row: number, column: number) => some[row]![column] };
      };
      for await (const record of records(source, parts)) {
        if (!isHeader) rows.push(record);
        isHeader = false;
        if (rows.length === rowsAtOnce) yield taken();
      }
      if (rows.length > 0) yield taken();
    },
  };
}

async function headerOf(
  source: string,
  parts: () => AsyncIterable<Uint8Array<ArrayBuffer>>,
): Promise<string[]> {
  for await (const record of records(source, parts)) {
    if (record.length < 2) break;
    return record;
  }
  throw new DataError(`Cannot read ${source}: a header and at least two columns are needed`);
}

async function* records(
  source: string,
  parts: () => AsyncIterable<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string[]> {
  const parser = parse({
    bom: true,
    trim: true,
    skip_empty_lines: true,
    max_record_size: MOST_ROW_BYTES,
  });
  try {
    yield* pipeline(Readable.from(parts()), parser, () => {}) as AsyncIterable<string[]>;
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`Cannot read ${source}: ${messageOf(error)}`);
  }
}
