/** Small datasets, packages and requests that the tests of the training share. */
import { join } from "node:path";
import { type ModelPackage, modelPackage } from "../../src/core/model_package.ts";
import { encodeIdx } from "../../src/data/idx.ts";
import type { TrainingRequest, TrainingSettings } from "../../src/training/trainer.ts";
import { createWorkerTrainer } from "../../src/training/worker_trainer.ts";
import type { Trainer } from "../../src/training/trainer.ts";

/** A signal that never aborts. */
export const never: AbortSignal = new AbortController().signal;

/** A package of text files. */
export function packageOf(files: Readonly<Record<string, string>>, id = "tiny"): ModelPackage {
  const bytes = Object.entries(files).map(([name, text]) => [name, new TextEncoder().encode(text)]);
  return modelPackage(id, Object.fromEntries(bytes));
}

/** A model of one dense layer of 3 x 3 weights and 3 biases, made after some code. */
export function denseAfter(code: string) {
  return {
    args: {},
    modelPackage: packageOf({
      "model.js": `export default ({ tf }) => {
        ${code}
        return tf.sequential({ layers: [
          tf.layers.dense({ units: 3, inputShape: [3], kernelInitializer: "ones" }),
        ] });
      };`,
    }),
  };
}

/** A linear classifier of 2 x 2 images in 2 classes. */
export const LINEAR = packageOf({
  "model.js": `export default ({ tf }, args) => tf.sequential({ layers: [
    tf.layers.flatten({ inputShape: [2, 2, 1] }),
    tf.layers.dense({ units: args.units ?? 2 }),
  ] });`,
});

/** How the tests train unless they say otherwise. */
export const SETTINGS: TrainingSettings = {
  batchSize: 4,
  epochs: 1,
  learningRate: 0.1,
  loss: "crossentropy",
  optimizer: "sgd",
  optimizerArgs: {},
  timeLimitSeconds: null,
  maxMiniBatches: null,
};

/** Writes a dataset of 2 x 2 images: class 0 is bright on the left, class 1 on the right. */
export async function writeHalves(folder: string, count: number, more = ""): Promise<void> {
  const images = new Uint8Array(count * 4);
  const labels = new Uint8Array(count);
  for (let row = 0; row < count; row++) {
    const label = row % 2;
    images.set(label === 0 ? [255, 10, 250, 0] : [0, 255, 20, 240], row * 4);
    labels[row] = label;
  }
  await Deno.writeFile(join(folder, "images"), encodeIdx(images, [count, 2, 2]));
  await Deno.writeFile(join(folder, "labels"), encodeIdx(labels, [count]));
  await Deno.writeTextFile(
    join(folder, "train_dataset_config.yaml"),
    `dataset_details:\n  data_filename: { images: images, labels: labels }\n${more}`,
  );
}

/** Runs a test with a trainer and an empty folder, and removes both. */
export async function withTrainer(
  body: (trainer: Trainer, folder: string) => Promise<void>,
  options: Parameters<typeof createWorkerTrainer>[0] = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const trainer = createWorkerTrainer(options);
  try {
    await body(trainer, folder);
  } finally {
    trainer.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** A request to train the linear model from zeros of its layout. */
export async function linearRequest(
  trainer: Trainer,
  datasetFolder: string,
  settings: Partial<TrainingSettings> = {},
): Promise<TrainingRequest> {
  const source = { modelPackage: LINEAR, args: {} };
  const { weights } = await trainer.initialise(source, 3);
  return {
    ...source,
    datasetFolder,
    weights,
    settings: { ...SETTINGS, ...settings },
    splitSeed: 1,
    seed: 2,
  };
}

/**
 * A model whose step can be run by tfjs alone, as a layer of it reads numbers.
 *
 * @param first code that its function begins with
 */
export function notCompilable(first = ""): ModelPackage {
  return packageOf({
    "model.js": `export default async ({ tf }) => {
      ${first}
      class Odd extends tf.layers.Layer {
        call(x) { const [one] = [x].flat(); one.dataSync; return tf.tensor(one.arraySync()); }
        computeOutputShape(shape) { return shape; }
        static className = "Odd";
      }
      tf.serialization.registerClass(Odd);
      return tf.sequential({ layers: [
        tf.layers.flatten({ inputShape: [2, 2, 1] }), new Odd(), tf.layers.dense({ units: 2 }),
      ] });
    };`,
  });
}
