import assert from "node:assert/strict";
import { type Arithmetic, detectArithmetic } from "../../src/kernels/mod.ts";
import { arithmeticFor } from "../../src/training/chosen_arithmetic.ts";
import { seeded } from "../../src/core/prng.ts";
import { compileLearner } from "../../src/training/compile_learner.ts";
import { OPTIMIZER_NAMES } from "../../src/training/optimizer_rules.ts";
import { LOSS_NAMES } from "../../src/training/losses.ts";
import { compareTraining, type Comparison, datasetOf } from "./step/compare_training.ts";
import { build, SAMPLE_MODELS, sampleBatch, weightsOf } from "./step/sample_models.ts";

/** As {@link compareTraining}, of a sample model. */
function compare(name: string, options: Partial<Comparison> = {}) {
  return compareTraining(build(name), options);
}

for (const name of Object.keys(SAMPLE_MODELS)) {
  Deno.test(`compileLearner() trains model "${name}" as tfjs does`, () => {
    for (const samples of [1, 4, 5, 9]) {
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
  const built = build("lenet");
  const prng = seeded(3);
  const batches = Array.from({ length: 4 }, () => sampleBatch(built, 5, prng));
  const dataset = datasetOf(built, batches, true);
  const settings = { loss: "crossentropy", optimizer: { name: "sgd", args: {} } };
  const batchSizes = { train: [5], evaluate: [] };
  const learner = compileLearner(built, settings, dataset, batchSizes, { arithmetic });
  const weights = Float32Array.from(weightsOf(built).flatMap((values) => [...values]));
  learner.setWeights(weights);
  learner.startTraining({ learningRate: 0.05, random: seeded(9) });
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
