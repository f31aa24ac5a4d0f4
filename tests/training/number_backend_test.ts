/** Models are built without tfjs's kernels, which are loaded when something computes with them. */
import assert from "node:assert/strict";
import { areKernelsStarted, startNumbers, tf } from "../../src/training/backend.ts";
import { copyWeights, setWeights } from "../../src/training/built_model.ts";
import { KeptModel } from "../../src/training/kept_model.ts";
import { denseAfter } from "./tiny.ts";

Deno.test("KeptModel.of() loads kernels only for a model whose code computes", async () => {
  await startNumbers();
  const before = tf.tensor1d([1, 2, 3]);
  const models = new KeptModel();
  const plain = await models.of(denseAfter(""));
  const given = Float32Array.from({ length: 12 }, (_, i) => i + 2);
  setWeights(plain, given);
  const taken = new Float32Array(12);
  await copyWeights(plain, taken);
  assert.deepEqual(taken, given);
  assert.equal(areKernelsStarted(), false);

  const source = denseAfter(
    "if (tf.add(1, 2).dataSync()[0] !== 3) throw new Error('wrong sum');",
  );
  await models.of(source);
  assert.equal(areKernelsStarted(), true);
  models.forget();
  assert.deepEqual([...tf.mul(before, 2).dataSync()], [2, 4, 6]);
});
