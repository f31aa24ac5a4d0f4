/** Optimizers: two steps from 1 with gradients 0.5 and -0.25, by hand from torch's formulas. */
import assert from "node:assert/strict";
import type { JsonObject } from "../../src/core/json.ts";
import { startBackend, tf } from "../../src/training/backend.ts";
import { OPTIMIZER_NAMES } from "../../src/training/optimizer_rules.ts";
import { makeOptimizer } from "../../src/training/optimizers.ts";

await startBackend();
const [g1, g2] = [0.5, -0.25];

/** The variable after two steps of rate 0.1. */
function twoSteps(name: string, args: JsonObject = {}): number {
  const before = tf.memory().numTensors;
  const optimizer = makeOptimizer(name, 0.1, args);
  const variable = tf.tidy(() => tf.variable(tf.scalar(1)));
  for (const gradient of [g1, g2]) {
    tf.tidy(() => optimizer.applyGradients({ [variable.name]: tf.scalar(gradient) }, [variable]));
  }
  const value = variable.dataSync()[0]!;
  optimizer.dispose();
  variable.dispose();
  assert.equal(tf.memory().numTensors, before);
  return value;
}

const adamStep = (m: number, v: number, t: number) =>
  0.1 * (m / (1 - 0.9 ** t)) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-8);
const m1 = 0.1 * g1;
const v1 = 0.001 * g1 ** 2;
const rms1 = 0.01 * g1 ** 2;
const rms2 = 0.99 * rms1 + 0.01 * g2 ** 2;
const expected: Readonly<Record<string, number>> = {
  sgd: 1 - 0.1 * g1 - 0.1 * g2,
  momentum: 1 - 0.1 * g1 - 0.1 * (0.9 * g1 + g2),
  adam: 1 - adamStep(m1, v1, 1) - adamStep(0.9 * m1 + 0.1 * g2, 0.999 * v1 + 0.001 * g2 ** 2, 2),
  adagrad: 1 - 0.1 - 0.1 * g2 / Math.sqrt(g1 ** 2 + g2 ** 2),
  rmsprop: 1 - 0.1 * g1 / Math.sqrt(rms1) - 0.1 * g2 / Math.sqrt(rms2),
  adadelta: adadeltaByHand(),
};

function adadeltaByHand(): number {
  let [value, squares, deltas] = [1, 0, 0];
  for (const gradient of [g1, g2]) {
    squares = 0.9 * squares + 0.1 * gradient ** 2;
    const delta = Math.sqrt(deltas + 1e-6) / Math.sqrt(squares + 1e-6) * gradient;
    deltas = 0.9 * deltas + 0.1 * delta ** 2;
    value -= 0.1 * delta;
  }
  return value;
}

for (const name of OPTIMIZER_NAMES) {
  Deno.test(`${name} steps as torch's does by default`, () => {
    const actual = twoSteps(name);
    assert.ok(Math.abs(actual - expected[name]!) < 2e-5, `${actual} is not ${expected[name]}`);
  });
}

Deno.test("adagrad takes full steps for tiny gradients, as its epsilon is 1e-10", () => {
  const optimizer = makeOptimizer("adagrad", 0.1, {});
  const variable = tf.tidy(() => tf.variable(tf.scalar(1)));
  tf.tidy(() => optimizer.applyGradients({ [variable.name]: tf.scalar(1e-6) }, [variable]));
  assert.ok(Math.abs(variable.dataSync()[0]! - 0.9) < 1e-4);
  optimizer.dispose();
  variable.dispose();
});

Deno.test("sgd takes a momentum", () => {
  assert.ok(Math.abs(twoSteps("sgd", { momentum: 0.9 }) - expected["momentum"]!) < 1e-6);
});

Deno.test("makeOptimizer() refuses unknown names and arguments", () => {
  assert.throws(
    () => makeOptimizer("adamw", 0.1, {}),
    /Cannot use optimizer "adamw": known are sgd, /,
  );
  assert.throws(
    () => makeOptimizer("adam", 0.1, { beta3: 1 }),
    /argument "beta3" with optimizer adam: known are beta1, beta2, epsilon$/,
  );
  assert.throws(() => makeOptimizer("adam", 0.1, { beta1: "x" }), /Cannot use "x" as "beta1"/);
});
