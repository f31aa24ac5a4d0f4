import assert from "node:assert/strict";
import { bytesText, lossText, percentText, secondsText } from "../../src/cli/quantities.ts";

Deno.test("bytesText() uses decimal units and never shows 1000 of one", () => {
  assert.deepEqual(
    [0, 999, 1000, 407_080, 999_949, 999_950, 2_500_000_000].map(bytesText),
    ["0 B", "999 B", "1.0 kB", "407.1 kB", "999.9 kB", "1.0 MB", "2.5 GB"],
  );
});

Deno.test("percentText() shows fractions with two digits, and - for none", () => {
  assert.deepEqual([0.9531, 1, 0, null, undefined, NaN].map(percentText), [
    "95.31 %",
    "100.00 %",
    "0.00 %",
    "-",
    "-",
    "-",
  ]);
});

Deno.test("lossText() stays short for large losses", () => {
  assert.deepEqual([0.12345, 999.9, 12_345, null, Infinity].map(lossText), [
    "0.1235",
    "999.9000",
    "1.23e+4",
    "-",
    "-",
  ]);
});

Deno.test("secondsText() has fewer digits the longer it takes", () => {
  assert.deepEqual([1.234, 12.34, 123.4, 3900].map(secondsText), [
    "1.23 s",
    "12.3 s",
    "123 s",
    "1 h 5 min",
  ]);
});
