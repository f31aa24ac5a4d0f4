import assert from "node:assert/strict";
import { seeded } from "../../../../src/core/prng.ts";
import { reachable } from "../../../../src/training/step/graph.ts";
import { optimise } from "../../../../src/training/step/passes/optimise.ts";
import { recordStep } from "../../../../src/training/step/record.ts";
import { interpretStep } from "../interpret.ts";
import { batchLast, build, SAMPLE_MODELS, sampleBatch, weightsOf } from "../sample_models.ts";

const [SAMPLES, LANES] = [5, 8];

for (const name of Object.keys(SAMPLE_MODELS)) {
  Deno.test(`optimise() leaves what a step of model "${name}" computes, in fewer values`, () => {
    const built = build(name);
    const settings = { loss: "crossentropy", optimizer: "sgd", optimizerArgs: {} };
    const { graph } = recordStep(built, settings, SAMPLES, true);
    const optimised = optimise(graph, true);
    assert.ok(reachable(optimised).length < reachable(graph).length);
    const batch = sampleBatch(built, SAMPLES, seeded(1));
    const run = (step: typeof graph) => {
      const variables = weightsOf(built);
      const { loss } = interpretStep(step, LANES, {
        inputs: {
          items: batchLast(batch.items, SAMPLES, LANES),
          labels: batchLast(batch.labels, SAMPLES, LANES),
        },
        variables,
        scalars: { "learning rate": 0.1 },
        random: seeded(2),
      });
      return { loss, weights: variables.flatMap((values) => [...values]) };
    };
    const [before, after] = [run(graph), run(optimised)];
    assert.ok(Math.abs(before.loss - after.loss) < 1e-5, `${before.loss}, ${after.loss}`);
    before.weights.forEach((weight, i) => {
      assert.ok(Math.abs(weight - after.weights[i]!) < 1e-5, `weight ${i}`);
    });
  });
}
