/** Models and datasets that do not belong together. */
import assert from "node:assert/strict";
import type { Dataset } from "../../src/data/dataset.ts";
import { startBackend, tf } from "../../src/training/backend.ts";
import { describeBuilt, endsOf } from "../../src/training/built_model.ts";
import { checkFit } from "../../src/training/fit_check.ts";

await startBackend();

const MNIST: Dataset = {
  name: "MNIST",
  items: new Uint8Array(784),
  shape: [28, 28, 1],
  count: 1,
  labels: Int32Array.of(0),
  targetShape: [],
  classes: 10,
  classesDeclared: true,
  labelCounts: null,
  normalise: null,
};

function check(inputShape: number[], units: number, dataset: Dataset, loss = "crossentropy") {
  const model = tf.sequential({
    layers: [tf.layers.flatten({ inputShape }), tf.layers.dense({ units, name: "scores" })],
  });
  try {
    checkFit(endsOf(describeBuilt(model), loss), dataset);
  } finally {
    model.dispose();
  }
}

Deno.test("checkFit() passes what fits", () => {
  check([28, 28, 1], 10, MNIST);
  check([28, 28, 1], 10, MNIST, "mean_square_error");
  check([28, 28, 1], 1, { ...MNIST, classes: 2 }, "binary_crossentropy");
  check([28, 28, 1], 3, { ...MNIST, classes: null, targetShape: [3] }, "mean_square_error");
});

Deno.test("checkFit() allows more outputs than a client has classes, unless it declares them", () => {
  const eight = { ...MNIST, classes: 8 };
  check([28, 28, 1], 10, { ...eight, classesDeclared: false });
  assert.throws(() => check([28, 28, 1], 10, eight), /8 classes need shape \[8\]$/);
});

Deno.test("checkFit() names the first layer and both shapes", () => {
  assert.throws(
    () => check([32, 32, 1], 10, MNIST),
    /^ModelError: Cannot feed dataset MNIST to layer "flatten_1" as its items have shape \[28,28,1\]: the layer takes \[32,32,1\]$/,
  );
});

Deno.test("checkFit() names the last layer and both shapes", () => {
  assert.throws(
    () => check([28, 28, 1], 5, MNIST),
    /^ModelError: Cannot train layer "scores" of output shape \[5\] on dataset MNIST: 10 classes need shape \[10\]$/,
  );
});

Deno.test("checkFit() refuses cross-entropy without classes, and unknown losses", () => {
  const targets = { ...MNIST, classes: null };
  assert.throws(() => check([28, 28, 1], 1, targets), /its labels are no class numbers$/);
  assert.throws(() => check([28, 28, 1], 10, MNIST, "hinge"), /Cannot use loss "hinge"/);
});
