/** Parquet tables, plain or compressed by Snappy: a row an item, as in CSV. */
import type { AsyncBuffer, ParquetScan } from "hyparquet";
import { DataError, messageOf } from "../core/errors.ts";
import { type DataFile, findFile, plainSize, readBytes, storedParts } from "./folder.ts";
import type { Table } from "./table.ts";

/** Cells that are decoded together: of a row group that has more, some rows after others. */
const CELLS_AT_ONCE = 2 ** 21;

/**
 * Opens a Parquet file.
 *
 * @param cellsAtOnce most cells that are decoded together
 * @throws {DataError} no such file, or not Parquet; with the rows, a compression that is not read
 */
export async function openParquet(
  folder: string,
  name: string,
  cellsAtOnce = CELLS_AT_ONCE,
): Promise<Table> {
  const file = await findFile(folder, name);
  const { parquetScan, parquetSchema } = await import("hyparquet");
  let scan: ParquetScan;
  try {
    scan = await parquetScan({ file: await bufferOf(file) });
  } catch (error) {
    throw notParquet(file, error);
  }
  const { schema, num_rows } = scan.metadata;
  const columns = schema.filter(({ type }) => type !== undefined).map(({ name }) => name);
  // What lies within columns of columns is no number of its row.
  const flat = new Set(parquetSchema(scan.metadata).children.map(({ element }) => element.name));
  const rowsAtOnce = Math.ceil(cellsAtOnce / columns.length);
  return {
    source: file.label,
    columns,
    count: Number(num_rows),
    async *rows(wanted) {
      try {
        for (const range of scan.ranges) {
          for (let rowStart = range.rowStart; rowStart < range.rowEnd; rowStart += rowsAtOnce) {
            const rowEnd = Math.min(rowStart + rowsAtOnce, range.rowEnd);
            const cells = new Map<number, ArrayLike<unknown>>();
            // One after another, so that only one is held packed.
            for (const column of wanted) {
              const name = columns[column]!;
              const read = () => scan.readColumn({ column: name, rowStart, rowEnd });
              cells.set(column, flat.has(name) ? await read() : []);
            }
            yield { count: rowEnd - rowStart, cell: (row, column) => cells.get(column)![row] };
          }
        }
      } catch (error) {
        throw notParquet(file, error);
      }
    },
  };
}

/** A file that is read where it is asked for; what gzip holds is read as a whole. */
async function bufferOf(file: DataFile): Promise<AsyncBuffer> {
  const byteLength = await plainSize(file);
  if (byteLength === null) {
    const bytes = await readBytes(file);
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  }
  return {
    byteLength,
    async slice(start, end = byteLength) {
      const bytes = new Uint8Array(end - start);
      let have = 0;
      for await (const part of storedParts(file, start, bytes.length)) {
        bytes.set(part, have);
        have += part.length;
      }
      return bytes.buffer.slice(0, have);
    },
  };
}

function notParquet({ label }: DataFile, error: unknown): DataError {
  if (error instanceof DataError) return error;
  return new DataError(`Cannot read ${label} as Parquet: ${messageOf(error)}`);
}
