/**
 * `deno task bench:train [--seconds S] [--json] MODEL...`: training throughput through the public
 * trainer. Batch 32, SGD, cross-entropy, random data; the median of the epochs after a warm-up.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readPackage } from "../src/config/read_package.ts";
import { ExitCode } from "../src/core/errors.ts";
import type { JsonObject } from "../src/core/json.ts";
import { seeded } from "../src/core/prng.ts";
import { sizeOf } from "../src/core/weights.ts";
import { encodeIdx } from "../src/data/idx.ts";
import { createWorkerTrainer } from "../src/training/worker_trainer.ts";
import { SGD_EPOCH } from "./sgd_epoch.ts";

const ITEMS = 3200;

/** A model that can be measured. */
interface Measured {
  /** Of an item. */
  readonly shape: readonly number[];
  readonly classes: number;
  readonly args: JsonObject;
  /** Items are class numbers, such as characters, in place of pixels. */
  readonly takesNumbers?: boolean;
}

const MODELS: Readonly<Record<string, Measured>> = {
  MLP: { shape: [28, 28, 1], classes: 10, args: {} },
  LeNet5: { shape: [32, 32, 1], classes: 10, args: { image_size: 32 } },
  FedAT_CNN: { shape: [32, 32, 3], classes: 10, args: {} },
  MobileNet: { shape: [32, 32, 3], classes: 10, args: {} },
  ResNet: { shape: [32, 32, 3], classes: 10, args: {} },
  CharLSTM: { shape: [40], classes: 80, args: {}, takesNumbers: true },
};

/** One line of the result. */
interface Throughput {
  readonly model: string;
  readonly params: number;
  readonly batch: number;
  readonly samples_per_s: number;
}

async function measure(model: string, seconds: number): Promise<Throughput> {
  const data = await Deno.makeTempDir();
  const trainer = createWorkerTrainer();
  try {
    const measured = MODELS[model]!;
    await writeRandomItems(data, measured);
    const folder = new URL(`../models/${model}`, import.meta.url).pathname;
    const source = { modelPackage: await readPackage(folder, model), args: measured.args };
    const { weights, layout } = await trainer.initialise(source, 1);
    const epoch = async () => {
      const { metrics, samples } = await trainer.train(
        {
          ...source,
          datasetFolder: data,
          weights,
          settings: SGD_EPOCH,
          splitSeed: 1,
          seed: 1,
        },
        () => {},
        new AbortController().signal,
      );
      return samples / metrics.trainSeconds;
    };
    await epoch();
    const rates: number[] = [];
    const end = performance.now() + seconds * 1000;
    do rates.push(await epoch()); while (performance.now() < end);
    rates.sort((a, b) => a - b);
    const rate = rates[Math.floor(rates.length / 2)]!;
    return {
      model,
      params: sizeOf(layout),
      batch: SGD_EPOCH.batchSize,
      samples_per_s: Math.round(rate),
    };
  } finally {
    trainer.close();
    await Deno.remove(data, { recursive: true });
  }
}

async function writeRandomItems(
  folder: string,
  { shape, classes, takesNumbers = false }: Measured,
): Promise<void> {
  const prng = seeded(1);
  const size = shape.reduce((product, length) => product * length, 1);
  const below = (limit: number) => () => Math.floor(prng() * limit);
  const length = ITEMS * size;
  const items = takesNumbers
    ? Int32Array.from({ length }, below(classes))
    : Uint8Array.from({ length }, below(256));
  const labels = Uint8Array.from({ length: ITEMS }, below(classes));
  await Deno.writeFile(join(folder, "images"), encodeIdx(items, [ITEMS, ...shape]));
  await Deno.writeFile(join(folder, "labels"), encodeIdx(labels, [ITEMS]));
  await Deno.writeTextFile(
    join(folder, "dataset_config.yaml"),
    `dataset_details: { data_filename: { images: images, labels: labels } }\nnum_classes: ${classes}\n`,
  );
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "4" },
      json: { type: "boolean", default: false },
    },
  });
  const models = positionals.length === 0 ? Object.keys(MODELS) : positionals;
  let unknown = false;
  for (const model of models) {
    if (!Object.hasOwn(MODELS, model)) {
      const known = Object.keys(MODELS).join(", ");
      console.error(`Cannot measure model "${model}": known are ${known}`);
      unknown = true;
      continue;
    }
    const result = await measure(model, Number(values.seconds));
    console.log(
      values.json
        ? JSON.stringify(result)
        : `${model}: ${result.params} parameters, batch ${SGD_EPOCH.batchSize}: ${result.samples_per_s} samples/s`,
    );
  }
  if (unknown) Deno.exit(ExitCode.usage);
}
