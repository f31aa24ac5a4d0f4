/** CSV tables. */
import assert from "node:assert/strict";
import { csvTable, openCsv } from "../../src/data/csv.ts";
import { gathered } from "../../src/data/streamed.ts";
import { streamTable, type TableChoice } from "../../src/data/table.ts";
import { inFolder } from "./folders.ts";

/** Reads CSV text. */
async function parseCsv(text: string, source: string, choice: TableChoice = {}) {
  const parts = () => new Blob([text]).stream();
  return await gathered(await streamTable(await csvTable(source, parts), choice));
}

Deno.test("streamTable() of CSV takes the last column as class numbers", async () => {
  const { items, shape, labels } = await parseCsv("a,b,kind\n1,2.5,0\n-3,4e2,2\n", "t.csv");
  assert.deepEqual(items, Float32Array.of(1, 2.5, -3, 400));
  assert.deepEqual(shape, [2]);
  assert.deepEqual(labels.values, Int32Array.of(0, 2));
  assert.equal(labels.source, 't.csv column "kind"');
});

Deno.test("streamTable() of CSV takes the column named label wherever it is", async () => {
  const { items, labels } = await parseCsv('"label",a\r\n1,9\r\n0,8\r\n', "t.csv");
  assert.deepEqual(items, Float32Array.of(9, 8));
  assert.deepEqual(labels.values, Int32Array.of(1, 0));
});

Deno.test("streamTable() of CSV takes fractions and negative numbers as targets", async () => {
  assert.deepEqual(
    (await parseCsv("a,y\n1,0.5\n2,-1\n", "t")).labels.values,
    Float32Array.of(0.5, -1),
  );
});

Deno.test("streamTable() of CSV names row and column of what is not a number", async () => {
  const cases: [string, RegExp][] = [
    [
      "a,y\n1,0\n2,cat\n",
      /^DataError: Cannot read t row 2 column "y": "cat" is not a finite number$/,
    ],
    ["a,y\n,0\n", /t row 1 column "a": "" is not/],
    ["a,y\nInfinity,0\n", /t row 1 column "a": "Infinity" is not/],
    ["a,y\n1,0,3\n", /Cannot read t: Invalid Record Length/],
    ["y\n1\n", /a header and at least two columns are needed/],
    ["", /a header and at least two columns are needed/],
  ];
  for (const [text, expected] of cases) await assert.rejects(parseCsv(text, "t"), expected);
});

Deno.test("streamTable() of CSV numbers labels that are words by the given names, or in their order", async () => {
  const text = "a,kind\n1,oak\n2,ash\n3, oak \n";
  const given = (await parseCsv(text, "t", { labelNames: ["fir", "oak", "ash"] })).labels;
  assert.deepEqual(given.values, Int32Array.of(1, 2, 1));
  const sorted = (await parseCsv(text, "t", { labelNames: "sorted" })).labels;
  assert.deepEqual(sorted.values, Int32Array.of(1, 0, 1));
  assert.deepEqual(sorted.names, ["ash", "oak"]);
  // Numbers can be names too, of classes that do not count from 0.
  const named = (await parseCsv("a,y\n1,7\n2,3\n", "t", { labelNames: ["3", "7"] })).labels;
  assert.deepEqual(named.values, Int32Array.of(1, 0));
});

Deno.test("streamTable() of CSV refuses words without names for them, and one that is none of the names", async () => {
  const text = "a,kind\n1,oak\n2,ash\n";
  await assert.rejects(
    parseCsv(text, "t"),
    /^DataError: Cannot number the labels of t column "kind", such as "oak": list all of them as label_names in the dataset's configuration, in the same order for every client$/,
  );
  await assert.rejects(
    parseCsv(text, "t", { labelNames: ["oak"] }),
    /Cannot read t row 2 column "kind": "ash" is not one of label_names$/,
  );
  // A word among numbers is a mistake, whatever names a single file would take.
  await assert.rejects(
    parseCsv("a,y\n1,0\n2,cat\n", "t", { labelNames: "sorted" }),
    /t row 2 column "y": "cat" is not a finite number$/,
  );
});

Deno.test("streamTable() tells of each label that is none of the names", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/t.csv`, "a,kind\n1,oak\nx,\n3,elm\n");
    const bad: string[] = [];
    const table = await openCsv(folder, "t.csv");
    const choice = { labelNames: ["oak"] };
    const data = await streamTable(table, choice, ({ row, column, cell, wanted }) => {
      bad.push(`${row} ${column} "${cell}" ${wanted}`);
    });
    await gathered(data);
    assert.deepEqual(bad, [
      '2 kind "" one of label_names',
      '2 a "x" a finite number',
      '3 kind "elm" one of label_names',
    ]);
  }));
