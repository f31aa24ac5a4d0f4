/** CSV tables. */
import assert from "node:assert/strict";
import { parseCsv, readCsv } from "../../src/data/csv.ts";
import { inFolder } from "./folders.ts";

Deno.test("parseCsv() takes the last column as class numbers", () => {
  const { items, shape, labels } = parseCsv("a,b,kind\n1,2.5,0\n-3,4e2,2\n", "t.csv");
  assert.deepEqual(items, Float32Array.of(1, 2.5, -3, 400));
  assert.deepEqual(shape, [2]);
  assert.deepEqual(labels.values, Int32Array.of(0, 2));
  assert.equal(labels.source, 't.csv column "kind"');
});

Deno.test("parseCsv() takes the column named label wherever it is", () => {
  const { items, labels } = parseCsv('"label",a\r\n1,9\r\n0,8\r\n', "t.csv");
  assert.deepEqual(items, Float32Array.of(9, 8));
  assert.deepEqual(labels.values, Int32Array.of(1, 0));
});

Deno.test("parseCsv() takes fractions and negative numbers as targets", () => {
  assert.deepEqual(parseCsv("a,y\n1,0.5\n2,-1\n", "t").labels.values, Float32Array.of(0.5, -1));
});

Deno.test("parseCsv() names row and column of what is not a number", () => {
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
  for (const [text, expected] of cases) assert.throws(() => parseCsv(text, "t"), expected);
});

Deno.test("parseCsv() numbers labels that are words by the given names, or in their order", () => {
  const text = "a,kind\n1,oak\n2,ash\n3, oak \n";
  const given = parseCsv(text, "t", { labelNames: ["fir", "oak", "ash"] }).labels;
  assert.deepEqual(given.values, Int32Array.of(1, 2, 1));
  const sorted = parseCsv(text, "t", { labelNames: "sorted" }).labels;
  assert.deepEqual(sorted.values, Int32Array.of(1, 0, 1));
  assert.deepEqual(sorted.names, ["ash", "oak"]);
  // Numbers can be names too, of classes that do not count from 0.
  const named = parseCsv("a,y\n1,7\n2,3\n", "t", { labelNames: ["3", "7"] }).labels;
  assert.deepEqual(named.values, Int32Array.of(1, 0));
});

Deno.test("parseCsv() refuses words without names for them, and one that is none of the names", () => {
  const text = "a,kind\n1,oak\n2,ash\n";
  assert.throws(
    () => parseCsv(text, "t"),
    /^DataError: Cannot number the labels of t column "kind", such as "oak": list all of them as label_names in the dataset's configuration, in the same order for every client$/,
  );
  assert.throws(
    () => parseCsv(text, "t", { labelNames: ["oak"] }),
    /Cannot read t row 2 column "kind": "ash" is not one of label_names$/,
  );
  // A word among numbers is a mistake, whatever names a single file would take.
  assert.throws(
    () => parseCsv("a,y\n1,0\n2,cat\n", "t", { labelNames: "sorted" }),
    /t row 2 column "y": "cat" is not a finite number$/,
  );
});

Deno.test("readCsv() tells of each label that is none of the names", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/t.csv`, "a,kind\n1,oak\nx,\n3,elm\n");
    const bad: string[] = [];
    await readCsv(folder, "t.csv", { labelNames: ["oak"] }, ({ row, column, cell, wanted }) => {
      bad.push(`${row} ${column} "${cell}" ${wanted}`);
    });
    assert.deepEqual(bad, [
      '2 kind "" one of label_names',
      '2 a "x" a finite number',
      '3 kind "elm" one of label_names',
    ]);
  }));
