/** Tables of any numbers, however they are cut into rows that are read together. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { gzipSync } from "fflate";
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";
import { openCsv } from "../../src/data/csv.ts";
import { openParquet } from "../../src/data/parquet.ts";
import { readDatasetSpec } from "../../src/data/spec.ts";
import { gathered } from "../../src/data/streamed.ts";
import { streamTable, type Table } from "../../src/data/table.ts";
import { loadWithin } from "../../src/data/load.ts";
import { unpackedWithin } from "../../src/data/unpack.ts";
import { inFolder } from "./folders.ts";

const NUMBERS = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -1_000_000, max: 1_000_000 }),
  fc.constantFrom(0, 1, 1e-30),
  // Text has no negative zero.
).map((value) => value + 0);

/** Rows of numbers, each with a label at its end. */
const TABLES = fc.record({ width: fc.integer({ min: 1, max: 5 }), isClass: fc.boolean() }).chain(
  ({ width, isClass }) =>
    fc.array(
      fc.tuple(
        fc.array(NUMBERS, { minLength: width, maxLength: width }),
        isClass ? fc.nat(5) : fc.integer({ min: -4, max: 4 }).map((label) => label - 0.5),
      ),
      { minLength: 1, maxLength: 60 },
    ),
);

type Row = [number[], number];

function csvOf(rows: readonly Row[], end: string): Uint8Array<ArrayBuffer> {
  const header = [...rows[0]![0].map((_, i) => `c${i}`), "label"];
  const lines = [header, ...rows.map(([items, label]) => [...items, label])];
  return new TextEncoder().encode(lines.map((line) => line.join(",")).join(end));
}

function parquetOf(rows: readonly Row[], rowGroupSize: number): Uint8Array<ArrayBuffer> {
  const columnData: ColumnSource[] = rows[0]![0].map((_, i) => ({
    name: `c${i}`,
    data: rows.map(([items]) => items[i]!),
    type: "DOUBLE",
  }));
  columnData.push({ name: "label", data: rows.map(([, label]) => label), type: "DOUBLE" });
  return new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize, pageSize: 64 }));
}

async function checkTable(table: Table, rows: readonly Row[]): Promise<void> {
  const { items, shape, labels } = await gathered(await streamTable(table));
  assert.deepEqual(items, Float32Array.from(rows.flatMap(([items]) => items)));
  assert.deepEqual(shape, [rows[0]![0].length]);
  const numbers = rows.map(([, label]) => label);
  const isClass = numbers.every((label) => Number.isInteger(label));
  assert.deepEqual(
    labels.values,
    isClass ? Int32Array.from(numbers) : Float32Array.from(numbers),
  );
}

Deno.test("streamTable() gives the numbers of CSV, packed or not", () =>
  inFolder(async (folder) => {
    await fc.assert(
      fc.asyncProperty(
        TABLES,
        fc.boolean(),
        fc.constantFrom("\n", "\r\n"),
        async (rows, gz, end) => {
          const text = csvOf(rows, end);
          await Deno.writeFile(`${folder}/t.csv`, gz ? gzipSync(text) : text);
          await checkTable(await openCsv(folder, "t.csv"), rows);
        },
      ),
      { numRuns: 60 },
    );
  }));

Deno.test("streamTable() gives the numbers of Parquet, in groups and pages that are cut anywhere", () =>
  inFolder(async (folder) => {
    const sizes = fc.integer({ min: 1, max: 70 });
    await fc.assert(
      fc.asyncProperty(TABLES, sizes, sizes, async (rows, rowGroupSize, cellsAtOnce) => {
        await Deno.writeFile(`${folder}/t.parquet`, parquetOf(rows, rowGroupSize));
        const table = await openParquet(folder, "t.parquet", cellsAtOnce);
        await checkTable(table, rows);
        const columns = table.columns.length;
        for await (const { count } of table.rows([0])) {
          assert.ok(count <= Math.ceil(cellsAtOnce / columns), `${count} rows at once`);
        }
      }),
      { numRuns: 100 },
    );
  }));

Deno.test("unpackedWithin() writes the numbers of any table as they lie in memory", () =>
  inFolder(async (folder) => {
    await fc.assert(
      fc.asyncProperty(TABLES, fc.boolean(), async (rows, isCsv) => {
        const name = isCsv ? "t.csv" : "t.parquet";
        await Deno.writeFile(`${folder}/${name}`, isCsv ? csvOf(rows, "\n") : parquetOf(rows, 7));
        const config = `dataset_details: { data_filename: ${name} }\n`;
        await Deno.writeTextFile(`${folder}/dataset_config.yaml`, config);
        const { spec } = await readDatasetSpec(folder);
        const never = new AbortController().signal;
        const unpacked = await unpackedWithin(spec, 0, () => `${folder}/unpacked`, never);
        const { items, labels } = await loadWithin(unpacked!.spec, Infinity);
        assert.deepEqual(items, Float32Array.from(rows.flatMap(([items]) => items)));
        assert.deepEqual([...labels], rows.map(([, label]) => label));
        await Deno.remove(`${folder}/unpacked`, { recursive: true });
      }),
      { numRuns: 40 },
    );
  }));

Deno.test("streamTable() of Parquet names the row over the whole file and the column", () =>
  inFolder(async (folder) => {
    const strings = Array.from({ length: 500 }, (_, i) => i === 444 ? "x" : `${i}`);
    const buffer = parquetWriteBuffer({
      columnData: [
        { name: "a", data: strings, type: "STRING" },
        { name: "label", data: strings.map(() => 1), type: "INT32" },
      ],
      rowGroupSize: 100,
    });
    await Deno.writeFile(`${folder}/t.parquet`, new Uint8Array(buffer));
    const table = await openParquet(folder, "t.parquet", 64);
    await assert.rejects(
      async () => await gathered(await streamTable(table)),
      /t.parquet row 445 column "a": "x" is not a finite number$/,
    );
  }));
