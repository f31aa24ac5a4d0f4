/** Batches: scaling and normalisation, by hand. */
import assert from "node:assert/strict";
import { batchFiller } from "../../src/data/batch.ts";
import type { Dataset } from "../../src/data/dataset.ts";

const IMAGES: Dataset = {
  name: "d",
  items: Uint8Array.of(0, 51, 102, 255),
  shape: [1, 1, 2],
  count: 2,
  labels: Int32Array.of(0, 1),
  targetShape: [],
  classes: 2,
  classesDeclared: false,
  labelCounts: [1, 1],
  normalise: null,
};

function fill(dataset: Dataset, indices: readonly number[]): number[] {
  const inputs = new Float32Array(indices.length * 2);
  batchFiller(dataset)(Int32Array.from(indices), inputs);
  return [...inputs].map((value) => Math.round(value * 1e5) / 1e5);
}

Deno.test("batchFiller() scales bytes to [0, 1] in the order of the indices", () => {
  assert.deepEqual(fill(IMAGES, [1, 0]), [0.4, 1, 0, 0.2]);
});

Deno.test("batchFiller() subtracts the mean of a channel and divides by its deviation", () => {
  const normalise = { mean: [0.5, 0.2], std: [0.5, 0.1] };
  assert.deepEqual(fill({ ...IMAGES, normalise }, [0, 1]), [-1, 0, -0.2, 8]);
  assert.deepEqual(fill({ ...IMAGES, normalise: { mean: 0.2, std: 0.2 } }, [1]), [1, 4]);
});

Deno.test("batchFiller() leaves numbers that are no bytes as they are", () => {
  const items = Float32Array.of(300, -1, 0.5, 2);
  assert.deepEqual(fill({ ...IMAGES, items, shape: [2] }, [1]), [0.5, 2]);
});
