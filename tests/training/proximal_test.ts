/** FedProx's term in local training: by hand, by finite differences, compiled and eager. */
import assert from "node:assert/strict";
import { seeded } from "../../src/core/prng.ts";
import { startBackend, tf } from "../../src/training/backend.ts";
import { compileLearner } from "../../src/training/compile_learner.ts";
import { OPTIMIZER_NAMES } from "../../src/training/optimizer_rules.ts";
import { makeOptimizer } from "../../src/training/optimizers.ts";
import { compareTraining, datasetOf } from "./step/compare_training.ts";
import { build, sampleBatch, weightsOf } from "./step/sample_models.ts";

await startBackend();

Deno.test("makeOptimizer() pulls to where training started, as computed by hand", () => {
  const before = tf.memory().numTensors;
  const optimizer = makeOptimizer("sgd", 0.1, {}, 2);
  const variable = tf.tidy(() => tf.variable(tf.scalar(1)));
  const values = [0.5, -0.25, 0].map((gradient) => {
    tf.tidy(() => optimizer.applyGradients({ [variable.name]: tf.scalar(gradient) }, [variable]));
    return variable.dataSync()[0]!;
  });
  // 1 - 0.1 (0.5 + 0); 0.95 - 0.1 (-0.25 + 2 (0.95 - 1)); 0.985 - 0.1 (0 + 2 (0.985 - 1)).
  for (const [i, expected] of [0.95, 0.985, 0.988].entries()) {
    assert.ok(Math.abs(values[i]! - expected) < 1e-6, `${values[i]} is not ${expected}`);
  }
  optimizer.dispose();
  variable.dispose();
  assert.equal(tf.memory().numTensors, before, "nothing leaks");
});

for (const optimizer of OPTIMIZER_NAMES) {
  Deno.test(`compileLearner() computes the proximal term with ${optimizer} as the eager one`, () => {
    const { lossDifference, weightDifference } = compareTraining(build("lenet"), {
      optimizer,
      samples: 6,
      proximalMu: 0.7,
    });
    assert.ok(lossDifference < 1e-4, `losses differ by ${lossDifference}`);
    assert.ok(weightDifference < 1e-4, `weights differ by ${weightDifference}`);
  });
}

/** A learner of a small model, its weights, and the batch on which all happens. */
function learning(proximalMu: number) {
  const built = build("softmax");
  const batch = sampleBatch(built, 6, seeded(3));
  const learner = compileLearner(
    built,
    { loss: "crossentropy", optimizer: { name: "sgd", args: {}, proximalMu } },
    datasetOf(built, [batch], true),
    { train: [6], evaluate: [6] },
  );
  const start = Float32Array.from(weightsOf(built).flatMap((values) => [...values]));
  learner.setWeights(start);
  const indices = Int32Array.from({ length: 6 }, (_, n) => n);
  const current = () => {
    const weights = new Float32Array(start.length);
    learner.copyWeights(weights);
    return weights;
  };
  return { learner, start, indices, current };
}

Deno.test("compileLearner() steps along the finite differences of loss plus (mu / 2) distance squared", () => {
  const [mu, rate, width] = [3, 0.5, 1e-2];
  const { learner, start, indices, current } = learning(mu);
  learner.startTraining({ learningRate: rate, random: seeded(9) });
  // The first steps leave the start, where the term is 0.
  learner.train(indices);
  learner.train(indices);
  const from = current();
  const way = Math.hypot(...from.map((value, i) => value - start[i]!));
  assert.ok(way > 0.05, `the weights have moved by ${way} only`);
  learner.train(indices);
  const stepped = current();
  const objective = (weights: Float32Array) => {
    learner.setWeights(weights);
    const distance = weights.reduce((sum, value, i) => sum + (value - start[i]!) ** 2, 0);
    return learner.evaluate(indices).loss + mu / 2 * distance;
  };
  for (let i = 0; i < from.length; i += Math.ceil(from.length / 25)) {
    const [up, down] = [from.slice(), from.slice()];
    up[i]! += width;
    down[i]! -= width;
    const slope = (objective(up) - objective(down)) / (up[i]! - down[i]!);
    const taken = (from[i]! - stepped[i]!) / rate;
    assert.ok(Math.abs(slope - taken) < 2e-3 + 1e-2 * Math.abs(slope), `${i}: ${taken}, ${slope}`);
  }
});

Deno.test("compileLearner() takes each training's own start for the anchor", () => {
  const { learner, start, indices, current } = learning(1);
  const train = (from: Float32Array) => {
    learner.setWeights(from);
    learner.startTraining({ learningRate: 0.1, random: seeded(9) });
    for (let step = 0; step < 3; step++) learner.train(indices);
    return current();
  };
  const once = train(start);
  train(once);
  assert.deepEqual(train(start), once);
});

Deno.test("a large mu keeps the weights near their start, and mu 0 changes nothing", () => {
  const distance = (mu: number) => {
    const { learner, start, indices, current } = learning(mu);
    learner.startTraining({ learningRate: 0.05, random: seeded(9) });
    for (let step = 0; step < 20; step++) learner.train(indices);
    return Math.hypot(...current().map((value, i) => value - start[i]!));
  };
  assert.ok(distance(10) < distance(1) / 2, `${distance(10)} and ${distance(1)}`);
  assert.ok(distance(1) < distance(0));
});
