/** Tables, series and folders of images, trained in the worker that may read their folder alone. */
import assert from "node:assert/strict";
import { encode as encodePng } from "fast-png";
import { parquetWriteBuffer } from "hyparquet-writer";
import { readPackage } from "../../src/config/read_package.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { seeded } from "../../src/core/prng.ts";
import { writeDataset } from "../../src/data/write_dataset.ts";
import { LINEAR, never, SETTINGS, withTrainer } from "./tiny.ts";
import type { Trainer, TrainingSettings } from "../../src/training/trainer.ts";

async function train(
  trainer: Trainer,
  datasetFolder: string,
  model: string | typeof LINEAR,
  args: JsonObject,
  settings: Partial<TrainingSettings>,
) {
  const modelPackage = typeof model === "string"
    ? await readPackage(`models/${model}`, model)
    : model;
  const source = { modelPackage, args };
  const { weights } = await trainer.initialise(source, 1);
  const request = { ...source, datasetFolder, weights, splitSeed: 1, seed: 1 };
  const all = { ...SETTINGS, batchSize: 16, optimizer: "adam", learningRate: 0.02, ...settings };
  return (await trainer.train({ ...request, settings: all }, () => {}, never)).metrics;
}

/** Two columns, and the class: whether their sum is positive. */
function points(count: number) {
  const prng = seeded(5);
  const a = Array.from({ length: count }, () => prng() * 2 - 1);
  const b = Array.from({ length: count }, () => prng() * 2 - 1);
  return { a, b, label: a.map((x, i) => x + b[i]! > 0 ? 1 : 0) };
}

Deno.test("models/Linear and models/TableMLP learn a Parquet table to over 93 %", () =>
  withTrainer(async (trainer, folder) => {
    const { a, b, label } = points(400);
    const buffer = parquetWriteBuffer({
      columnData: [
        { name: "a", data: a, type: "DOUBLE" },
        { name: "b", data: b, type: "DOUBLE" },
        { name: "label", data: label, type: "INT32" },
      ],
    });
    await Deno.writeFile(`${folder}/t.parquet`, new Uint8Array(buffer));
    await Deno.writeTextFile(
      `${folder}/train_dataset_config.yaml`,
      "dataset_details:\n  data_filename: t.parquet\n",
    );
    for (const model of ["Linear", "TableMLP"]) {
      const { test } = await train(trainer, folder, model, { inputs: 2, outputs: 2 }, {
        epochs: 20,
      });
      assert(test!.accuracy! > 0.93, `${model}: ${test!.accuracy}`);
    }
  }));

Deno.test("models/LSTM learns to predict the next number of a wave", () =>
  withTrainer(async (trainer, folder) => {
    const [count, steps] = [200, 8];
    const wave = (t: number) => Math.sin(t * 0.5);
    const items = Float32Array.from(
      { length: count * steps },
      (_, i) => wave(Math.floor(i / steps) + i % steps),
    );
    const values = Float32Array.from({ length: count }, (_, i) => wave(i + steps));
    const data = { items, shape: [steps, 1], labels: { values, shape: [], count, source: "y" } };
    await writeDataset(`${folder}/wave`, "train_dataset_config.yaml", data, {
      ...{ datasetId: "wave", tags: [], models: [], classes: null, normalise: null },
      comment: "a wave",
    });
    const { loss } = await train(trainer, `${folder}/wave`, "LSTM", { steps, units: 8 }, {
      epochs: 30,
      loss: "mean_square_error",
    });
    // The variance of a wave, and so the loss of who always says 0, is 0.5.
    assert(loss < 0.02, `${loss}`);
  }));

Deno.test("a folder of images by class is trained on", () =>
  withTrainer(async (trainer, folder) => {
    for (const [name, data] of [["left", [255, 0, 255, 0]], ["right", [0, 255, 0, 255]]] as const) {
      await Deno.mkdir(`${folder}/images/${name}`, { recursive: true });
      const bytes = encodePng({ width: 2, height: 2, channels: 1, data: Uint8Array.from(data) });
      for (let i = 0; i < 20; i++) await Deno.writeFile(`${folder}/images/${name}/${i}.png`, bytes);
    }
    await Deno.writeTextFile(
      `${folder}/train_dataset_config.yaml`,
      "dataset_details:\n  data_filename: images/\n",
    );
    const { test, accuracy } = await train(trainer, folder, LINEAR, {}, { epochs: 10 });
    assert.equal(test!.accuracy, 1);
    assert(accuracy! > 0.9);
  }));
