/** What 10,000 compiled steps leave behind: nothing. */
import assert from "node:assert/strict";
import { seeded } from "../../src/core/prng.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { startBackend, tf } from "../../src/training/backend.ts";
import { describeBuilt } from "../../src/training/built_model.ts";
import { compileLearner } from "../../src/training/compile_learner.ts";

await startBackend();

const BATCH = 32;
const SIDE = 28;

/** A small net with dropout on images of bytes, and its batches: full ones and a smaller last one. */
function prepare() {
  const layers = tf.layers;
  const model = tf.sequential({
    layers: [
      layers.conv2d({ inputShape: [SIDE, SIDE, 1], filters: 2, kernelSize: 3, strides: 4 }),
      layers.flatten(),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 10 }),
    ],
  });
  const count = 10 * BATCH + 5;
  const random = seeded(4);
  const dataset: Dataset = {
    name: "noise",
    items: new Uint8Array(count * SIDE ** 2).map(() => random() * 256),
    shape: [SIDE, SIDE, 1],
    count,
    labels: new Int32Array(count).map(() => random() * 10),
    targetShape: [],
    classes: 10,
    classesDeclared: true,
    labelCounts: null,
    normalise: null,
  };
  const built = describeBuilt(model);
  const settings = { loss: "crossentropy", optimizer: { name: "adam", args: {} } };
  const sizes = { train: [BATCH, 5], evaluate: [BATCH] };
  const learner = compileLearner(built, settings, dataset, sizes);
  learner.startTraining({ learningRate: 0.001, random });
  const order = Int32Array.from({ length: count }, (_, n) => n);
  const batches: Int32Array[] = [];
  for (let start = 0; start < count; start += BATCH) {
    batches.push(order.subarray(start, start + BATCH));
  }
  let step = 0;
  return function train(steps: number): void {
    for (let i = 0; i < steps; i++) {
      const batch = batches[step++ % batches.length]!;
      learner.train(batch);
      if (step % 20 === 0) learner.evaluate(batches[0]!);
    }
  };
}

Deno.test("10,000 compiled steps take no memory that the first ones did not", () => {
  const train = prepare();
  // Until then the engine compiles what is hot, and its young generation finds its size.
  train(3000);
  const before = Deno.memoryUsage();
  const tensors = tf.memory().numTensors;
  train(10_000);
  const after = Deno.memoryUsage();
  const megabytes = (after.rss - before.rss) / 2 ** 20;
  assert.ok(megabytes < 2, `${megabytes} MB more`);
  assert.ok(after.external - before.external < 2 ** 16, `${after.external - before.external}`);
  assert.equal(tf.memory().numTensors, tensors);
});

Deno.test("a compiled step leaves garbage for its calls, none for its numbers", () => {
  const train = prepare();
  train(3000);
  // A collection in between makes a window seem to need less, so the middle one counts.
  const windows = Array.from({ length: 21 }, () => {
    const { heapUsed } = Deno.memoryUsage();
    train(50);
    return (Deno.memoryUsage().heapUsed - heapUsed) / 50;
  }).sort((a, b) => a - b);
  const bytes = windows[10]!;
  // A batch has 25 kB of items and 44 kB of random numbers; its 32 views take about 150 bytes each.
  assert.ok(bytes < 8192, `${bytes} bytes a step`);
});
