/** Every model of images and texts that comes with Flotilla learns something real, in seconds. */
import assert from "node:assert/strict";
import { readPackage } from "../../src/config/read_package.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { seeded, shuffle } from "../../src/core/prng.ts";
import type { RawData } from "../../src/data/dataset.ts";
import { readMnist } from "../../src/data/mnist.ts";
import { pickRows } from "../../src/data/pick_rows.ts";
import { writeDataset } from "../../src/data/write_dataset.ts";
import type { TrainingSettings } from "../../src/training/trainer.ts";
import { never, SETTINGS, withTrainer } from "./tiny.ts";

/** Trains a model on 95 % of the data; gives what it measured on them and on the rest. */
async function learn(
  name: string,
  args: JsonObject,
  data: RawData,
  classes: number,
  settings: Partial<TrainingSettings>,
) {
  const modelPackage = await readPackage(`models/${name}`, name);
  const source = { modelPackage, args };
  let metrics;
  await withTrainer(async (trainer, folder) => {
    const datasetFolder = `${folder}/data`;
    await writeDataset(datasetFolder, "train_dataset_config.yaml", data, {
      ...{ datasetId: "data", tags: [], models: [], normalise: null },
      ...{ classes, comment: "for a test" },
    });
    const { weights } = await trainer.initialise(source, 1);
    const all = { ...SETTINGS, optimizer: "adam", learningRate: 0.002, batchSize: 32, ...settings };
    const request = { ...source, datasetFolder, weights, settings: all, splitSeed: 1, seed: 1 };
    ({ metrics } = await trainer.train(request, () => {}, never));
  });
  return metrics!;
}

/** Real digits, 0 to 4; with `size` 32 in colour, with a black margin. */
async function digits(count: number, size: 28 | 32): Promise<RawData> {
  const mnist = await readMnist("test");
  const few = Int32Array.from(mnist.labels.values.keys())
    .filter((row) => mnist.labels.values[row]! < 5);
  const { items, labels } = pickRows(mnist, shuffle(few, seeded(1)).subarray(0, count));
  if (size === 28) return { items, shape: [28, 28, 1], labels };
  const colour = new Uint8Array(count * 32 * 32 * 3);
  for (let at = 0; at < items.length; at++) {
    const [image, row, column] = [Math.floor(at / 784), Math.floor(at / 28) % 28, at % 28];
    const pixel = ((image * 32 + row + 2) * 32 + column + 2) * 3;
    colour.fill((items as Uint8Array)[at]!, pixel, pixel + 3);
  }
  return { items: colour, shape: [32, 32, 3], labels };
}

/** Narrow, so that a test takes seconds; each has all its kinds of layers. */
const OF_IMAGES: Readonly<Record<string, { args: JsonObject; epochs: number; grey?: true }>> = {
  LeNet5: { args: { num_classes: 5 }, epochs: 3, grey: true },
  FedAT_CNN: { args: { num_classes: 5, width: 8 }, epochs: 4 },
  AlexNet: { args: { num_classes: 5, width: 8, hidden: 64, dropout: 0.2 }, epochs: 6 },
  VGG: { args: { num_classes: 5, width: 8, hidden: 64 }, epochs: 4 },
  MobileNet: { args: { num_classes: 5, width: 8 }, epochs: 4 },
  ResNet: { args: { num_classes: 5, width: 8, blocks: 1 }, epochs: 4 },
};

for (const [name, { args, epochs, grey }] of Object.entries(OF_IMAGES)) {
  Deno.test(`models/${name} learns real digits to over 80 %, where guessing gives 20 %`, async () => {
    const data = await digits(800, grey ? 28 : 32);
    const { accuracy, test } = await learn(name, args, data, 5, { epochs });
    assert(test!.accuracy! > 0.8, `${test!.accuracy} after ${accuracy} in training`);
  });
}

Deno.test("models/CharLSTM learns the next character of an English text better than their counts", async () => {
  const text = (await Deno.readTextFile("LICENSE")).replaceAll(/\s+/g, " ").slice(0, 4000);
  const alphabet = [...new Set(text)].sort();
  const codes = Int32Array.from(text, (character) => alphabet.indexOf(character));
  const [length, count] = [10, codes.length - 10];
  const items = Int32Array.from(
    { length: count * length },
    (_, at) => codes[Math.floor(at / length) + at % length]!,
  );
  const labels = { values: codes.slice(length), shape: [], count, source: "text" };
  const args = { num_classes: alphabet.length, length, units: 48 };
  const { loss } = await learn(
    "CharLSTM",
    args,
    { items, shape: [length], labels },
    alphabet.length,
    { epochs: 8, learningRate: 0.01 },
  );
  // Who knows only how often each character comes loses its entropy, some 3 nats.
  const shares = alphabet.map((_, code) =>
    codes.filter((one) => one === code).length / codes.length
  );
  const entropy = -shares.reduce((sum, share) => sum + share * Math.log(share), 0);
  assert(loss < 0.75 * entropy, `${loss}, entropy ${entropy}`);
});
