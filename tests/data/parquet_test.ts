/** Parquet tables. */
import assert from "node:assert/strict";
import { parquetWriteBuffer } from "hyparquet-writer";
import { openParquet } from "../../src/data/parquet.ts";
import { openSource } from "../../src/data/sources.ts";
import { gathered } from "../../src/data/streamed.ts";
import { streamTable } from "../../src/data/table.ts";
import { inFolder } from "./folders.ts";

async function read(folder: string, name: string) {
  return await gathered(await streamTable(await openParquet(folder, name)));
}

async function write(path: string, site: string[] = ["x", "y"]) {
  const buffer = parquetWriteBuffer({
    columnData: [
      { name: "site", data: site, type: "STRING" },
      { name: "a", data: [1.5, 2], type: "DOUBLE" },
      { name: "n", data: [7n, -8n], type: "INT64" },
      { name: "label", data: [0, 2], type: "INT32" },
    ],
  });
  await Deno.writeFile(path, new Uint8Array(buffer));
}

Deno.test("openSource() reads a Parquet table, the column that says whose a row is apart", () =>
  inFolder(async (folder) => {
    await write(`${folder}/t.parquet`);
    const { train, column } = await openSource(`${folder}/t.parquet`, { column: "site" });
    assert.deepEqual(train.items, Float32Array.of(1.5, 7, 2, -8));
    assert.deepEqual(train.labels.values, Int32Array.of(0, 2));
    assert.deepEqual(column, ["x", "y"]);
  }));

Deno.test("openParquet() names row and column of a cell that is no number, and what is no Parquet", () =>
  inFolder(async (folder) => {
    await write(`${folder}/t.parquet`, ["4", "y"]);
    await assert.rejects(
      read(folder, "t.parquet"),
      /t.parquet row 2 column "site": "y" is not a finite number/,
    );
    await Deno.writeTextFile(`${folder}/u.parquet`, "no table at all");
    await assert.rejects(read(folder, "u.parquet"), /Cannot read .*u.parquet as Parquet: /);
  }));
