import assert from "node:assert/strict";
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

/** Trains the same batches eagerly and compiled; returns the largest differences. */
function compare(
  name: string,
  { loss = "crossentropy", optimizer = "sgd", args = {}, samples = 5, steps = 10 } = {},
) {
  const built = build(name);
  const prng = seeded(3);
  const batches = Array.from({ length: steps }, () => sampleBatch(built, samples, prng));
  const shape = built.model.inputs[0]!.shape.slice(1) as number[];
  const takesClasses = loss === "crossentropy";
  const joined = (part: "items" | "labels" | "targets") =>
    Float32Array.from(batches.flatMap((batch) => [...batch[part]]));
  const dataset: Dataset = {
    name,
    items: joined("items"),
    shape,
    count: samples * steps,
    labels: takesClasses ? Int32Array.from(joined("labels")) : joined("targets"),
    targetShape: takesClasses ? [] : built.outputShape,
    classes: takesClasses ? built.outputShape.at(-1)! : null,
    classesDeclared: true,
    labelCounts: null,
    normalise: null,
  };
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
