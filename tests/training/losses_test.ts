/** Losses against numbers worked out by hand from torch's formulas. */
import assert from "node:assert/strict";
import { startBackend, tf } from "../../src/training/backend.ts";
import { LOSS_NAMES, lossOf } from "../../src/training/losses.ts";

await startBackend();

function mean(name: string, outputs: number[][], targets: number[][] | number[], soft = false) {
  return tf.tidy(() => {
    const wanted = Array.isArray(targets[0])
      ? tf.tensor2d(targets as number[][])
      : tf.tensor1d(targets as number[], "int32");
    return lossOf(name).mean(tf.tensor2d(outputs), wanted, soft).dataSync()[0]!;
  });
}

function close(actual: number, expected: number) {
  assert.ok(Math.abs(actual - expected) < 1e-5, `${actual} is not ${expected}`);
}

Deno.test("crossentropy is -log softmax of the class, for logits", () => {
  // log(e^0 + e^1) - 1 and log(e^2 + e^0) - 0
  const expected = (Math.log(1 + Math.E) - 1 + Math.log(Math.E ** 2 + 1)) / 2;
  close(mean("crossentropy", [[0, 1], [2, 0]], [1, 1]), expected);
});

Deno.test("crossentropy is -log of the class's probability, after a softmax", () => {
  const expected = (-Math.log(0.75) - Math.log(0.5)) / 2;
  close(mean("crossentropy", [[0.25, 0.75], [0.5, 0.5]], [1, 0], true), expected);
  assert.ok(Number.isFinite(mean("crossentropy", [[0, 1]], [0], true)));
});

Deno.test("crossentropy stays finite for large logits", () => {
  close(mean("crossentropy", [[1000, 0]], [1]), 1000);
});

Deno.test("mean_square_error averages over all elements", () => {
  close(mean("mean_square_error", [[1, 2], [3, 4]], [[0, 2], [5, 1]]), (1 + 0 + 4 + 9) / 4);
});

Deno.test("binary_crossentropy takes probabilities and bounds their logarithms", () => {
  close(mean("binary_crossentropy", [[0.8], [0.4]], [[1], [0]]), -Math.log(0.8 * 0.6) / 2);
  // The logarithm of the smallest probability kept is -69.08.
  const worst = mean("binary_crossentropy", [[0]], [[1]]);
  assert.ok(worst > 60 && worst <= 100, String(worst));
});

Deno.test("binary_l1loss averages absolute differences", () => {
  close(mean("binary_l1loss", [[1, 2]], [[4, 0]]), 2.5);
});

Deno.test("binary_kldiv takes log-probabilities and gives 0 where the target is 0", () => {
  const expected = (0.5 * (Math.log(0.5) - -1) + 0) / 2;
  close(mean("binary_kldiv", [[-1, -9]], [[0.5, 0]]), expected);
});

Deno.test("lossOf() names the known losses", () => {
  assert.equal(LOSS_NAMES.length, 5);
  assert.throws(
    () => lossOf("toString"),
    /^ModelError: Cannot use loss "toString": known are crossentropy, mean/,
  );
});
