import assert from "node:assert/strict";
import { type Column, cut, formatTable } from "../../src/cli/table.ts";

const COLUMNS: readonly Column[] = [
  { title: "NAME" },
  { title: "ITEMS", align: "right", dropped: 2 },
  { title: "WHERE", dropped: 1 },
];
const ROWS = [["anna", "6000", "here"], ["bert", "20", "far away"]];

Deno.test("formatTable() aligns columns and leaves no spaces at line ends", () => {
  assert.deepEqual(formatTable(COLUMNS, ROWS, Infinity), [
    "NAME  ITEMS  WHERE",
    "anna   6000  here",
    "bert     20  far away",
  ]);
});

Deno.test("formatTable() gives up columns in their order where the width is too small", () => {
  // All need 4 + 2 + 5 + 2 + 8 = 21.
  assert.equal(formatTable(COLUMNS, ROWS, 21)[2], "bert     20  far away");
  assert.deepEqual(formatTable(COLUMNS, ROWS, 20), ["NAME  ITEMS", "anna   6000", "bert     20"]);
  assert.deepEqual(formatTable(COLUMNS, ROWS, 10), ["NAME", "anna", "bert"]);
  assert.deepEqual(formatTable(COLUMNS, ROWS, 3), ["NA…", "an…", "be…"]);
});

Deno.test("formatTable() counts wide characters as two columns", () => {
  assert.deepEqual(formatTable(COLUMNS.slice(0, 2), [["日本", "1"]], Infinity), [
    "NAME  ITEMS",
    "日本      1",
  ]);
});

Deno.test("cut() never exceeds the width, not by half a wide character", () => {
  assert.equal(cut("日本語", 6), "日本語");
  assert.equal(cut("日本語", 5), "日本…");
  assert.equal(cut("日本語", 4), "日…");
  assert.equal(cut("abc", 1), "…");
  assert.equal(cut("abc", 0), "");
});
