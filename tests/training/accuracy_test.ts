/** Counting right answers. */
import assert from "node:assert/strict";
import type { Dataset } from "../../src/data/dataset.ts";
import { countRight } from "../../src/training/accuracy.ts";

const dataset = (labels: Dataset["labels"], classes: number | null) =>
  ({ labels, classes }) as Dataset;

Deno.test("countRight() takes the greatest output, the first of equals", () => {
  const outputs = [0.1, 0.9, 0, /**/ 2, 2, 1, /**/ -3, -2, -1];
  const indices = Int32Array.of(2, 0, 1);
  assert.equal(countRight(outputs, indices, dataset(Int32Array.of(0, 0, 1), 3)), 2);
});

Deno.test("countRight() compares a single output with 0.5", () => {
  const outputs = [0.5, 0.51, 0.9];
  assert.equal(countRight(outputs, Int32Array.of(0, 1, 2), dataset(Int32Array.of(0, 1, 0), 2)), 2);
});

Deno.test("countRight() is null without classes", () => {
  assert.equal(countRight([1], Int32Array.of(0), dataset(Float32Array.of(1), null)), null);
});
