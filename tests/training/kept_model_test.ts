import assert from "node:assert/strict";
import { startBackend } from "../../src/training/backend.ts";
import { copyWeights } from "../../src/training/built_model.ts";
import { KeptModel } from "../../src/training/kept_model.ts";
import { denseAfter } from "./tiny.ts";

/** The weights of a model that the cache gives for training. */
async function weightsOf(source: ReturnType<typeof denseAfter>): Promise<number[]> {
  await startBackend();
  const models = new KeptModel();
  const built = await models.of(source);
  const weights = new Float32Array(12);
  await copyWeights(built, weights);
  models.forget();
  return [...weights];
}

Deno.test("KeptModel.of() does not draw weights, which others are put in place of", async () => {
  assert.deepEqual(await weightsOf(denseAfter("")), Array(12).fill(0));
});

Deno.test("KeptModel.of() draws weights if a variable of the model is no weight of it", async () => {
  const weights = await weightsOf(denseAfter("tf.layers.dense({ units: 2 }).build([null, 3]);"));
  assert.deepEqual(weights, [...Array(9).fill(1), 0, 0, 0]);
});
