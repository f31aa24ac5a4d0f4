/** Training on items that stay on disk. */
import assert from "node:assert/strict";
import { decodeWeights } from "../../src/core/weights.ts";
import { linearRequest, never, packageOf, withTrainer, writeHalves } from "./tiny.ts";

const ignore = () => {};

/** The linear model with a step that cannot be compiled. */
const EAGER = packageOf({
  "model.js": `export default ({ tf }) => {
    class Own extends tf.layers.Layer {
      static className = "Own";
      call(inputs) { const x = [inputs].flat()[0]; x.dataSync(); return x.clone(); }
      computeOutputShape(shape) { return shape; }
    }
    return tf.sequential({ layers: [
      tf.layers.flatten({ inputShape: [2, 2, 1] }), tf.layers.dense({ units: 2 }), new Own({}),
    ] });
  };`,
});

for (const how of ["compiled", "eager"] as const) {
  Deno.test(`train() gives the same bytes ${how} from disk as from memory, and evaluates alike`, () =>
    withTrainer(async (resident, folder) => {
      await writeHalves(folder, 101, "normalize: { mean: 0.3, std: 0.7 }\n");
      const linear = await linearRequest(resident, folder, { epochs: 3, optimizer: "adam" });
      const request = how === "eager" ? { ...linear, modelPackage: EAGER } : linear;
      const { settings: _, seed: __, ...same } = request;
      const question = { ...same, batchSize: 7, loss: "crossentropy", splitSeed: null };
      const expected = await resident.train(request, ignore, never);
      const quality = await resident.evaluate(question, never);
      await withTrainer(async (streaming) => {
        // Twice: a second round goes on with the file as it is open.
        for (let round = 0; round < 2; round++) {
          const { weights, metrics } = await streaming.train(request, ignore, never);
          assert.deepEqual(weights, expected.weights);
          assert.equal(metrics.loss, expected.metrics.loss);
          assert.deepEqual(metrics.test, expected.metrics.test);
        }
        assert.deepEqual(await streaming.evaluate(question, never), quality);
        assert.notDeepEqual(
          decodeWeights(expected.weights).values,
          decodeWeights(request.weights).values,
        );
      }, { engine: { arithmetic: "auto", datasetBytes: 100 } });
    }));
}

Deno.test("train() reads a dataset on disk anew when its file has changed", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 100);
    const request = await linearRequest(trainer, folder);
    const first = await trainer.train(request, ignore, never);
    await writeHalves(folder, 200);
    const second = await trainer.train(request, ignore, never);
    assert.deepEqual([first.samples, second.samples], [95, 190]);
  }, { engine: { arithmetic: "auto", datasetBytes: 0 } }));
