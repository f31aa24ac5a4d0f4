/** Saved models, opened with stock tfjs. */
import assert from "node:assert/strict";
import * as stock from "@tensorflow/tfjs";
import { decodeWeights } from "../../src/core/weights.ts";
import { tfjsModelFiles, WEIGHTS_FILE } from "../../src/training/tfjs_model_file.ts";
import { packageOf, withTrainer } from "./tiny.ts";

const MODELS: Readonly<Record<string, { shape: number[]; code: string; names: string[] }>> = {
  "a sequential model": {
    shape: [4, 4, 1],
    code: `tf.sequential({ layers: [
      tf.layers.conv2d({ filters: 3, kernelSize: 3, inputShape: [4, 4, 1] }),
      tf.layers.flatten(), tf.layers.dense({ units: 5, activation: "relu" }),
      tf.layers.dense({ units: 2, name: "scores" }), tf.layers.dense({ units: 2 }) ] })`,
    names: [
      "conv2d_1/kernel",
      "conv2d_1/bias",
      "dense_1/kernel",
      "dense_1/bias",
      "scores/kernel",
      "scores/bias",
      "dense_2/kernel",
      "dense_2/bias",
    ],
  },
  "a functional model with a branch and moving averages": {
    shape: [6],
    code: `(() => { const x = tf.input({ shape: [6] });
      const left = tf.layers.dense({ units: 4 }).apply(x);
      const right = tf.layers.batchNormalization().apply(tf.layers.dense({ units: 4 }).apply(x));
      return tf.model({ inputs: x, outputs: tf.layers.add().apply([left, right]) }); })()`,
    names: [
      "dense_1/kernel",
      "dense_1/bias",
      "dense_2/kernel",
      "dense_2/bias",
      "batch_normalization_1/gamma",
      "batch_normalization_1/beta",
      "batch_normalization_1/moving_mean",
      "batch_normalization_1/moving_variance",
    ],
  },
  "a model inside a model": {
    shape: [3],
    code:
      `tf.sequential({ layers: [ tf.sequential({ layers: [tf.layers.dense({ units: 4, inputShape: [3] })] }),
      tf.layers.dense({ units: 2 }) ] })`,
    names: ["dense_1/kernel", "dense_1/bias", "dense_2/kernel", "dense_2/bias"],
  },
  "a bidirectional LSTM": {
    shape: [5, 2],
    code: `tf.sequential({ layers: [ tf.layers.bidirectional({ layer: tf.layers.lstm({ units: 3 }),
      mergeMode: "concat", inputShape: [5, 2] }), tf.layers.dense({ units: 2 }) ] })`,
    names: ["kernel", "recurrent_kernel", "bias"].map((n) => `bidirectional_1/forward_lstm_1/${n}`)
      .concat(
        ["kernel", "recurrent_kernel", "bias"].map((n) => `bidirectional_1/backward_lstm_1/${n}`),
      )
      .concat(["dense_1/kernel", "dense_1/bias"]),
  },
};

for (const [what, { shape, code, names }] of Object.entries(MODELS)) {
  Deno.test(`tfjsModelFiles() makes files of ${what} that stock tfjs opens`, () =>
    withTrainer(async (trainer) => {
      const modelPackage = packageOf({ "model.js": `export default ({ tf }) => ${code};` });
      // A second build must give the same names, though tfjs counts on.
      await trainer.initialise({ modelPackage, args: {} }, 1);
      const { weights, layout, topology } = await trainer.initialise({ modelPackage, args: {} }, 2);
      const decoded = decodeWeights(weights);
      assert.deepEqual(layout.map(({ name }) => name), names);
      assert.deepEqual(decoded.layout, layout);
      const { json, weights: bytes } = tfjsModelFiles(topology, decoded);
      const manifest = (json["weightsManifest"] as unknown as stock.io.WeightsManifestConfig)[0]!;
      assert.deepEqual(manifest.paths, [WEIGHTS_FILE]);
      await stock.setBackend("cpu");
      const model = await stock.loadLayersModel(stock.io.fromMemory({
        modelTopology: JSON.parse(JSON.stringify(topology)),
        weightSpecs: manifest.weights,
        weightData: bytes.slice().buffer,
      }));
      const values = model.getWeights().flatMap((weight) => [...weight.dataSync()]);
      assert.deepEqual(Float32Array.from(values), decoded.values.slice());
      const output = model.predict(stock.ones([2, ...shape])) as stock.Tensor;
      assert.ok(output.dataSync().every((value) => Number.isFinite(value)));
      model.dispose();
    }));
}
