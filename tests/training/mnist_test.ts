/** The demo's model on real MNIST, as the demo trains it. */
import assert from "node:assert/strict";
import { readPackage } from "../../src/config/read_package.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import { tfjsModelFiles } from "../../src/training/tfjs_model_file.ts";
import { makeDemoData } from "../../tools/demo_data.ts";
import { parseIdx } from "../../src/data/idx.ts";
import { describeDataset } from "../../src/data/describe.ts";
import { startBackend, tf } from "../../src/training/backend.ts";
import { never, SETTINGS, withTrainer } from "./tiny.ts";

Deno.test("MLP learns MNIST to over 90 % from 6,000 images, and its saved file agrees", () =>
  withTrainer(async (trainer, folder) => {
    const lines: string[] = [];
    const options = { clients: 2, items: 6000, out: folder, seed: 1 };
    await makeDemoData(options, (line) => lines.push(line));
    await makeDemoData(options, (line) => lines.push(line));
    assert.ok(lines.slice(0, 3).every((line) => line.endsWith("written")), lines.join());
    assert.ok(lines.slice(3).every((line) => line.endsWith("up to date")), lines.join());
    const part = await describeDataset(`${folder}/part_2/MNIST`);
    assert.equal(part.metadata.num_items, 6000);

    const source = { modelPackage: await readPackage("models/MLP", "MLP"), args: {} };
    await trainer.check(source, `${folder}/part_1/MNIST`, "crossentropy");
    const { weights, topology } = await trainer.initialise(source, 1);
    const trained = await trainer.train(
      {
        ...source,
        datasetFolder: `${folder}/part_1/MNIST`,
        weights,
        settings: { ...SETTINGS, batchSize: 32, epochs: 3, learningRate: 0.001, optimizer: "adam" },
        splitSeed: 1,
        seed: 1,
      },
      () => {},
      never,
    );
    assert.equal(trained.samples, 5700);
    const leader = `${folder}/leader/MNIST`;
    const result = await trainer.evaluate({
      ...source,
      datasetFolder: leader,
      weights: trained.weights,
      batchSize: 500,
      loss: "crossentropy",
      splitSeed: null,
    }, never);
    assert.equal(result.samples, 10_000);
    assert.ok(result.accuracy! > 0.9, String(result.accuracy));

    const saved = tfjsModelFiles(topology, decodeWeights(trained.weights));
    const right = await countRight(saved, leader);
    assert.equal(right, Math.round(result.accuracy! * 10_000));
  }));

/** Counts with tfjs's own prediction, from the files alone. */
async function countRight({ json, weights }: ReturnType<typeof tfjsModelFiles>, leader: string) {
  await startBackend();
  const images = parseIdx(await Deno.readFile(`${leader}/images-idx3-ubyte`), "").values;
  const labels = parseIdx(await Deno.readFile(`${leader}/labels-idx1-ubyte`), "").values;
  const model = await tf.loadLayersModel(tf.io.fromMemory({
    modelTopology: JSON.parse(JSON.stringify(json["modelTopology"])),
    weightSpecs: JSON.parse(JSON.stringify(json["weightsManifest"]))[0].weights,
    weightData: weights.slice().buffer,
  }));
  const predicted = tf.tidy(() => {
    const input = tf.tensor4d(Float32Array.from(images, (v) => v / 255), [10_000, 28, 28, 1]);
    return tf.argMax(model.predict(input) as ReturnType<typeof tf.tensor>, -1).dataSync();
  });
  model.dispose();
  return [...labels].filter((label, row) => label === predicted[row]).length;
}
