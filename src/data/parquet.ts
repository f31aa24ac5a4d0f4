/** Parquet tables, plain or compressed by Snappy: a row an item, as in CSV. */
import { DataError, messageOf } from "../core/errors.ts";
import type { RawData } from "./dataset.ts";
import { findFile, readBytes } from "./folder.ts";
import { type OnBadCell, type Table, type TableChoice, tableData } from "./table.ts";

/**
 * Reads the items and labels of a Parquet file.
 *
 * @throws {DataError} no such file, not Parquet, a compression that is not read, fewer than two
 * columns, or a cell that is not a number
 */
export async function readParquet(
  folder: string,
  name: string,
  choice: TableChoice = {},
  onBad?: OnBadCell,
): Promise<RawData> {
  return tableData(await readParquetTable(folder, name), choice, onBad);
}

/** Reads a Parquet file as cells. @throws {DataError} no such file, or it cannot be decoded */
export async function readParquetTable(folder: string, name: string): Promise<Table> {
  const file = await findFile(folder, name);
  const bytes = await readBytes(file);
  const { parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  try {
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    const metadata = await parquetMetadataAsync(buffer);
    const columns = metadata.schema.filter(({ type }) => type !== undefined)
      .map((element) => element.name);
    const objects = await parquetReadObjects({ file: buffer, metadata });
    const rows = objects.map((object) => columns.map((column) => object[column]));
    return { source: file.label, columns, rows };
  } catch (error) {
    throw new DataError(`Cannot read ${file.label} as Parquet: ${messageOf(error)}`);
  }
}
