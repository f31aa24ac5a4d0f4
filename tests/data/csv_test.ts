/** CSV tables. */
import assert from "node:assert/strict";
import { parseCsv } from "../../src/data/csv.ts";

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
