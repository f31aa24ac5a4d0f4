/**
 * `deno task bench:train [--seconds S] [--threads N] [--json] MODEL...`: training throughput through
 * the public trainer. Batch 32, SGD, cross-entropy, random data; the median of the epochs after a
 * warm-up. With `--threads`, epochs on one and on N threads take turns, and what they could gain at
 * most on this machine is measured with each model.
 */
import { parseArgs } from "node:util";
import { ExitCode } from "../src/core/errors.ts";
import { seeded } from "../src/core/prng.ts";
import { sizeOf } from "../src/core/weights.ts";
import { elements } from "../src/data/dataset.ts";
import { writeDataset } from "../src/data/write_dataset.ts";
import type { Trainer, TrainingRequest } from "../src/training/trainer.ts";
import { createWorkerTrainer } from "../src/training/worker_trainer.ts";
import { SGD_EPOCH } from "./sgd_epoch.ts";
import { threadGain } from "./thread_gain.ts";
import { ZOO, type ZooModel, zooSource } from "./zoo.ts";

const ITEMS = 3200;
/** Measured unless others are named. */
const DEFAULTS = ["MLP", "LeNet5", "FedAT_CNN", "MobileNet", "ResNet", "CharLSTM"];

/** One line of the result. */
interface Throughput {
  readonly model: string;
  readonly params: number;
  readonly batch: number;
  readonly samples_per_s: number;
  readonly threads?: number;
  readonly threaded_samples_per_s?: number;
  /** How many times the bare arithmetic of one thread this machine does on as many. */
  readonly thread_gain?: number;
}

async function measure(model: string, seconds: number, threads: number): Promise<Throughput> {
  const data = await Deno.makeTempDir();
  const counts = threads > 1 ? [1, threads] : [1];
  const trainers = counts.map((count) =>
    createWorkerTrainer({ engine: { arithmetic: "auto", threads: count } })
  );
  try {
    await writeRandomItems(data, ZOO[model]!);
    const source = await zooSource(model);
    const { weights, layout } = await trainers[0]!.initialise(source, 1);
    const request = { ...source, datasetFolder: data, weights };
    for (const trainer of trainers) await epochRate(trainer, request);
    const rates: number[][] = trainers.map(() => []);
    const end = performance.now() + seconds * 1000;
    do {
      for (const [i, trainer] of trainers.entries()) {
        rates[i]!.push(await epochRate(trainer, request));
      }
    } while (performance.now() < end);
    const [one, several] = rates.map(median);
    const threaded = several === undefined ? {} : {
      ...{ threads, threaded_samples_per_s: several },
      thread_gain: Number((await threadGain(threads)).toFixed(2)),
    };
    return {
      ...{ model, params: sizeOf(layout), batch: SGD_EPOCH.batchSize, samples_per_s: one! },
      ...threaded,
    };
  } finally {
    for (const trainer of trainers) trainer.close();
    await Deno.remove(data, { recursive: true });
  }
}

/** Samples per second of one epoch. */
async function epochRate(
  trainer: Trainer,
  request: Omit<TrainingRequest, "settings" | "splitSeed" | "seed">,
): Promise<number> {
  const { metrics, samples } = await trainer.train(
    {
      ...request,
      settings: SGD_EPOCH,
      splitSeed: 1,
      seed: 1,
    },
    () => {},
    new AbortController().signal,
  );
  return samples / metrics.trainSeconds;
}

function median(rates: readonly number[]): number {
  return Math.round(rates.toSorted((a, b) => a - b)[Math.floor(rates.length / 2)]!);
}

function textOf({ model, params, samples_per_s: one, ...more }: Throughput): string {
  const { threads, threaded_samples_per_s: several, thread_gain: gain } = more;
  const line = `${model}: ${params} parameters, batch ${SGD_EPOCH.batchSize}: ${one} samples/s`;
  if (threads === undefined || several === undefined) return line;
  const ratio = (several / one).toFixed(2);
  return `${line}; threads ${threads}: ${several} samples/s, threads ${threads} / threads 1: ` +
    `${ratio} (bare arithmetic: ${gain})`;
}

async function writeRandomItems(
  folder: string,
  { shape, classes, takesNumbers = false }: ZooModel,
): Promise<void> {
  const prng = seeded(1);
  const below = (limit: number) => () => Math.floor(prng() * limit);
  const length = ITEMS * elements(shape);
  const items = takesNumbers
    ? Int32Array.from({ length }, below(classes))
    : shape.length < 3
    ? Float32Array.from({ length }, prng)
    : Uint8Array.from({ length }, below(256));
  const values = Int32Array.from({ length: ITEMS }, below(classes));
  const labels = { values, shape: [], count: ITEMS, source: "random" };
  await writeDataset(folder, "dataset_config.yaml", { items, shape, labels }, {
    ...{ datasetId: "random", tags: [], models: [], classes, normalise: null, comment: "noise" },
  });
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "4" },
      threads: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
    },
  });
  const models = positionals.length === 0 ? DEFAULTS : positionals;
  let unknown = false;
  for (const model of models) {
    if (!Object.hasOwn(ZOO, model)) {
      const known = Object.keys(ZOO).join(", ");
      console.error(`Cannot measure model "${model}": known are ${known}`);
      unknown = true;
      continue;
    }
    const result = await measure(model, Number(values.seconds), Number(values.threads));
    console.log(values.json ? JSON.stringify(result) : textOf(result));
  }
  if (unknown) Deno.exit(ExitCode.usage);
}
