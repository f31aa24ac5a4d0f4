/**
 * The worker in which all training happens, one job after another. It may read one dataset's folder
 * and nothing else, as a model package's code runs in it.
 */
import { messageOf } from "../core/errors.ts";
import { deriveSeed } from "../core/prng.ts";
import type { Dataset, DatasetSpec } from "../data/dataset.ts";
import { loadDataset } from "../data/load.ts";
import { startBackend, tf } from "./backend.ts";
import { type BuiltModel, describeBuilt, loadWeights, saveWeights } from "./built_model.ts";
import { evaluateItems } from "./evaluate.ts";
import { checkFit } from "./fit_check.ts";
import { forbidEnding } from "./guarded_globals.ts";
import { lossOf } from "./losses.ts";
import { buildModel } from "./model_source.ts";
import type { Answers, JobKind, JobMessage, Jobs, WorkerMessage } from "./protocol.ts";
import { seedMathRandom } from "./seeded_random.ts";
import { allIndices, splitIndices } from "./split.ts";
import { trainItems } from "./train_loop.ts";
import type { ModelSource, OnProgress } from "./trainer.ts";

/** Thrown inside a job that shall end. */
class Cancelled extends Error {}

interface JobContext {
  readonly onProgress: OnProgress;
  readonly throwIfCancelled: () => void;
}

type Handler<K extends JobKind> = (job: Jobs[K], context: JobContext) => Promise<Answers[K]>;

const HANDLERS: { readonly [K in JobKind]: Handler<K> } = {
  initialise({ source, seed }) {
    return withModel(source, seed, (built) => ({
      weights: saveWeights(built),
      layout: built.description.layout,
      topology: built.description.topology,
      inputShape: built.model.inputs[0]!.shape.slice(1) as number[],
      outputShape: built.outputShape,
    }));
  },
  async check({ source, dataset: spec, loss }) {
    const dataset = await load(spec);
    return withModel(source, 0, (built) => {
      checkFit(built.model, built.description, dataset, loss);
      return null;
    });
  },
  async train({ dataset: spec, weights, settings, splitSeed, seed, ...source }, context) {
    const dataset = await load(spec);
    return withModel(source, seed, (built) => {
      checkFit(built.model, built.description, dataset, settings.loss);
      loadWeights(built, weights);
      const { train, test } = splitIndices(dataset.count, splitSeed);
      seedMathRandom(deriveSeed(seed, "random layers"));
      const loop = { ...context, now: () => performance.now() };
      const trained = trainItems(built, dataset, train, settings, seed, loop);
      const tested = evaluateItems(
        built,
        dataset,
        test,
        lossOf(settings.loss),
        settings.batchSize,
        context.throwIfCancelled,
      );
      return {
        weights: saveWeights(built),
        samples: train.length,
        metrics: { ...trained, test: tested },
      };
    });
  },
  async evaluate({ dataset: spec, weights, batchSize, loss, splitSeed, ...source }, context) {
    const dataset = await load(spec);
    return withModel(source, 0, (built) => {
      checkFit(built.model, built.description, dataset, loss);
      loadWeights(built, weights);
      const indices = splitSeed === null
        ? allIndices(dataset.count)
        : splitIndices(dataset.count, splitSeed).test;
      const { throwIfCancelled } = context;
      const result = evaluateItems(
        built,
        dataset,
        indices,
        lossOf(loss),
        batchSize,
        throwIfCancelled,
      );
      return result ?? { loss: 0, accuracy: null, samples: 0 };
    });
  },
};

/** Builds a model, works with it and frees all tensors, those that a failing model left included. */
async function withModel<T>(source: ModelSource, seed: number, work: (built: BuiltModel) => T) {
  tf.engine().startScope();
  try {
    return work(describeBuilt(await buildModel(source, seed)));
  } finally {
    tf.engine().endScope();
    tf.disposeVariables();
  }
}

let loaded: { readonly key: string; readonly dataset: Dataset } | null = null;

/** Loads a dataset, or takes the one loaded last if its files have not changed since. */
async function load(spec: DatasetSpec): Promise<Dataset> {
  const key = JSON.stringify([spec, await fileStamps(spec)]);
  if (loaded?.key !== key) {
    loaded = null;
    loaded = { key, dataset: await loadDataset(spec) };
  }
  return loaded.dataset;
}

function fileStamps({ folder, files }: DatasetSpec): Promise<unknown[]> {
  const names = typeof files === "string" ? [files] : [files.images, files.labels];
  return Promise.all(names.map(async (name) => {
    try {
      const { size, mtime } = await Deno.stat(`${folder}/${name}`);
      return [size, mtime?.getTime()];
    } catch {
      return null; // the loading tells what is wrong with it
    }
  }));
}

const scope = self as unknown as {
  postMessage(message: WorkerMessage, transfer?: Transferable[]): void;
  onmessage: (event: MessageEvent<JobMessage>) => void;
};
// Kept before any model's code runs, which may change what is global.
const post = scope.postMessage.bind(scope);
forbidEnding();
const ready = startBackend();
// Reported by the first job that awaits it.
ready.catch(() => {});
let last: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }) => {
  last = last.then(() => perform(data));
};

async function perform<K extends JobKind>({ id, kind, job, cancel }: JobMessage<K>) {
  try {
    await ready;
    const answer = await HANDLERS[kind](job, {
      onProgress: (progress) => post({ id, kind: "progress", progress }),
      throwIfCancelled: () => {
        if (Atomics.load(cancel, 0) !== 0) throw new Cancelled();
      },
    });
    const weights = answer !== null && "weights" in answer ? [answer.weights.buffer] : [];
    post({ id, kind: "done", answer }, weights);
  } catch (error) {
    if (error instanceof Cancelled) return post({ id, kind: "cancelled" });
    const name = error instanceof Error ? error.name : "Error";
    post({ id, kind: "failed", error: name, reason: messageOf(error) });
  }
}
