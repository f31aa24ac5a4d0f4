import assert from "node:assert/strict";
import { type Arithmetic, detectArithmetic } from "../../src/kernels/mod.ts";
import { arithmeticFor } from "../../src/training/arithmetic_choice.ts";
import { seeded } from "../../src/core/prng.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { compileLearner } from "../../src/training/compiled_learner.ts";
import { OPTIMIZER_NAMES } from "../../src/training/optimizers.ts";
import { LOSS_NAMES } from "../../src/training/losses.ts";
import {
  build,
  eagerStepper,
  SAMPLE_MODELS,
  sampleBatch,
  weightsOf,
} from "./step/sample_models.ts";

const LEARNING_RATE = 0.05;

/** Batches of samples, and the dataset of all of them. */
function sampleDataset(
  name: string,
  { takesClasses = true, samples = 5, steps = 10 },
) {
  const built = build(name);
  const prng = seeded(3);
  const batches = Array.from({ length: steps }, () => sampleBatch(built, samples, prng));
  const joined = (part: "items" | "labels" | "targets") =>
    Float32Array.from(batches.flatMap((batch) => [...batch[part]]));
  const dataset: Dataset = {
    name,
    items: joined("items"),
    shape: built.model.inputs[0]!.shape.slice(1) as number[],
    count: samples * steps,
    labels: takesClasses ? Int32Array.from(joined("labels")) : joined("targets"),
    targetShape: takesClasses ? [] : built.outputShape,
    classes: takesClasses ? built.outputShape.at(-1)! : null,
    classesDeclared: true,
    labelCounts: null,
    normalise: null,
  };
  return { built, batches, dataset };
}

/** Trains the same batches eagerly and compiled; returns the largest differences. */
function compare(
  name: string,
  { loss = "crossentropy", optimizer = "sgd", args = {}, samples = 5, steps = 10 } = {},
) {
  const takesClasses = loss === "crossentropy";
  const { built, batches, dataset } = sampleDataset(name, { takesClasses, samples, steps });
  const learner = compileLearner(
    built,
    { loss, optimizer: { name: optimizer, args } },
    dataset,
    { train: [samples], evaluate: [samples] },
  );
  const start = Float32Array.from(weightsOf(built).flatMap((values) => [...values]));
  learner.setWeights(start);
  learner.startTraining({ learningRate: LEARNING_RATE, random: seeded(9) });
  const eager = eagerStepper(built, { loss, optimizer, optimizerArgs: args }, LEARNING_RATE);
  let lossDifference = 0;
  batches.forEach((batch, index) => {
    const indices = Int32Array.from({ length: samples }, (_, n) => index * samples + n);
    const expected = eager(batch);
    const got = learner.train(indices).loss;
    lossDifference = Math.max(lossDifference, Math.abs(got - expected) / Math.abs(expected));
  });
  const weights = new Float32Array(start.length);
  learner.copyWeights(weights);
  const expected = weightsOf(built).flatMap((values) => [...values]);
  const weightDifference = Math.max(...expected.map((value, i) => Math.abs(value - weights[i]!)));
  return { lossDifference, weightDifference };
}

for (const name of Object.keys(SAMPLE_MODELS)) {
  Deno.test(`compileLearner() trains model "${name}" as tfjs does`, () => {
    for (const samples of [1, 4, 5, 9]) {
      if (samples === 1 && name.startsWith("batch norm")) continue;
      const { lossDifference, weightDifference } = compare(name, { samples });
      assert(lossDifference < 1e-5, `losses differ by ${lossDifference} with ${samples} samples`);
      assert(weightDifference < 1e-5, `weights differ by ${weightDifference}`);
    }
  });
}

for (const optimizer of OPTIMIZER_NAMES) {
  Deno.test(`compileLearner() computes optimizer ${optimizer} as the eager one`, () => {
    const { lossDifference, weightDifference } = compare("lenet", { optimizer, samples: 6 });
    assert(lossDifference < 1e-4, `losses differ by ${lossDifference}`);
    assert(weightDifference < 1e-4, `weights differ by ${weightDifference}`);
  });
}

for (const loss of LOSS_NAMES) {
  Deno.test(`compileLearner() computes loss ${loss} as the eager one`, () => {
    const model = loss === "crossentropy" ? "softmax" : "sigmoid";
    const { lossDifference, weightDifference } = compare(model, { loss, samples: 7 });
    assert(lossDifference < 1e-5, `losses differ by ${lossDifference}`);
    assert(weightDifference < 1e-5, `weights differ by ${weightDifference}`);
  });
}

/** Weights of LeNet5 after some steps. */
function weightsWith(arithmetic: Arithmetic): Float32Array {
  const { built, dataset } = sampleDataset("lenet", { steps: 4 });
  const settings = { loss: "crossentropy", optimizer: { name: "sgd", args: {} } };
  const batchSizes = { train: [5], evaluate: [] };
  const learner = compileLearner(built, settings, dataset, batchSizes, arithmetic);
  const weights = Float32Array.from(weightsOf(built).flatMap((values) => [...values]));
  learner.setWeights(weights);
  learner.startTraining({ learningRate: LEARNING_RATE, random: seeded(9) });
  for (let step = 0; step < 4; step++) {
    learner.train(Int32Array.from({ length: 5 }, (_, n) => step * 5 + n));
  }
  learner.copyWeights(weights);
  return weights;
}

Deno.test("compileLearner() gives the same portable bytes on processors that fuse and that do not", () => {
  const expected = weightsWith("portable");
  assert.deepEqual(weightsWith(arithmeticFor("portable", () => "fused")), expected);
  assert.deepEqual(weightsWith(arithmeticFor("portable", () => "portable")), expected);
  assert.deepEqual(weightsWith(arithmeticFor("auto", () => "portable")), expected);
});

Deno.test("compileLearner() rounds once where the processor fuses, unless it shall not", () => {
  const found = arithmeticFor("auto");
  assert.equal(found, detectArithmetic());
  const bytes = (arithmetic: Arithmetic) => weightsWith(arithmetic).join();
  assert.equal(bytes(found) !== bytes("portable"), found === "fused");
});
