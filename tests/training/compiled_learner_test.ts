import assert from "node:assert/strict";
import { OPTIMIZER_NAMES } from "../../src/training/optimizers.ts";
import { LOSS_NAMES } from "../../src/training/losses.ts";
import { compareTraining, type Comparison } from "./step/compare_training.ts";
import { build, SAMPLE_MODELS } from "./step/sample_models.ts";

/** As {@link compareTraining}, of a sample model. */
function compare(name: string, options: Partial<Comparison> = {}) {
  return compareTraining(build(name), options);
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
