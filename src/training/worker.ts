/**
 * The worker in which all training happens, one job after another. It may read one dataset's folder
 * and nothing else, as a model package's code runs in it.
 */
import { messageOf } from "../core/errors.ts";
import { allocateWeights, checkWeights, decodeWeights } from "../core/weights.ts";
import type { Dataset, DatasetSpec } from "../data/dataset.ts";
import { fileStamps } from "../data/file_stamps.ts";
import { loadWithin } from "../data/load.ts";
import { chooseArithmetic, chosenArithmetic } from "./arithmetic_choice.ts";
import { batchSizes } from "./batch_shape.ts";
import { evaluateItems, evaluationBatch } from "./evaluate.ts";
import { endLoopsBy } from "./endable_loops.ts";
import { collectGarbage, leaveGarbage } from "./garbage.ts";
import type { Answers, JobKind, JobMessage, Jobs, WorkerMessage } from "./protocol.ts";
import { allIndices } from "../core/prng.ts";
import { splitIndices } from "./split.ts";
import { threadsFor } from "./threads_choice.ts";
import { type LoopContext, trainItems } from "./train_loop.ts";
import { WorkerModels } from "./worker_models.ts";

/** Thrown inside a job that shall end. */
class Cancelled extends Error {}

type JobContext = Omit<LoopContext, "now"> & Pick<JobMessage, "program">;

type Handler<K extends JobKind> = (job: Jobs[K], context: JobContext) => Promise<Answers[K]>;

const HANDLERS: { readonly [K in JobKind]: Handler<K> } = {
  async prepare() {
    await models.cache();
    return null;
  },
  async initialise({ source, seed }) {
    const cache = await models.cache();
    return await cache.initialise(source, seed);
  },
  async explain({ batchSize, loss, optimizer, ...source }) {
    const { explainModel } = await import("./explain_model.ts");
    const cache = await models.cache();
    try {
      return explainModel(await cache.build(source, 0), { batchSize, loss, optimizer });
    } finally {
      cache.forget();
    }
  },
  async check({ source, dataset: spec, loss }) {
    await models.open(source, load(spec), loss, null);
    return null;
  },
  async train({ dataset: spec, weights, settings, splitSeed, seed, ...source }, context) {
    const opened = await models.open(source, load(spec), settings.loss, context.program);
    const { dataset, facts: { layout } } = opened;
    const given = decodeWeights(weights);
    checkWeights(given, layout);
    const { train, test } = splitIndices(dataset.count, splitSeed);
    const { throwIfCancelled } = context;
    const needs = {
      settings: {
        loss: settings.loss,
        optimizer: {
          name: settings.optimizer,
          args: settings.optimizerArgs,
          proximalMu: settings.proximalMu ?? 0,
        },
      },
      batches: {
        train: batchSizes(train.length, settings.batchSize),
        evaluate: batchSizes(test.length, evaluationBatch(settings.batchSize)),
      },
    };
    const loop = { ...context, now: () => performance.now() };
    return await opened.work(needs, throwIfCancelled, async (learner) => {
      learner.setWeights(given.values);
      const trained = await trainItems(learner, dataset, train, settings, seed, loop);
      const tested = await evaluateItems(learner, test, settings.batchSize, throwIfCancelled);
      const encoded = allocateWeights(layout);
      await learner.copyWeights(encoded.values);
      return {
        weights: encoded.bytes,
        samples: train.length,
        metrics: {
          ...trained,
          test: tested,
          device: learner.device,
          ...(learner.device === "cpu" && {
            arithmetic: chosenArithmetic(),
            threads: learner.threads,
          }),
        },
      };
    });
  },
  async evaluate({ dataset: spec, weights, batchSize, loss, splitSeed, ...source }, context) {
    const opened = await models.open(source, load(spec), loss, context.program);
    const { dataset, facts: { layout } } = opened;
    const given = decodeWeights(weights);
    checkWeights(given, layout);
    const indices = splitSeed === null
      ? allIndices(dataset.count)
      : splitIndices(dataset.count, splitSeed).test;
    const { throwIfCancelled } = context;
    const needs = {
      settings: { loss, optimizer: null },
      batches: { train: [], evaluate: batchSizes(indices.length, evaluationBatch(batchSize)) },
    };
    return await opened.work(needs, throwIfCancelled, async (learner) => {
      learner.setWeights(given.values);
      const startedMs = performance.now();
      const result = await evaluateItems(learner, indices, batchSize, throwIfCancelled);
      return {
        evaluation: result ?? { loss: 0, accuracy: null, samples: 0 },
        seconds: (performance.now() - startedMs) / 1000,
      };
    });
  },
};

const models = new WorkerModels((text) => post({ id: 0, kind: "notice", text }));
let loaded: { readonly key: string; readonly dataset: Dataset } | null = null;

/** What a dataset's items may take in memory. */
let datasetBytes = Infinity;

/** Files of this size leave garbage that is worth collecting. */
const LARGE_BYTES = 2 ** 20;

/** Loads a dataset, or takes the one loaded last if its files have not changed since. */
async function load(spec: DatasetSpec): Promise<Dataset> {
  const key = JSON.stringify([spec, await fileStamps(spec)]);
  if (loaded?.key !== key) {
    closeItems(loaded?.dataset);
    loaded = null;
    loaded = { key, dataset: await loadWithin(spec, datasetBytes) };
    if (loaded.dataset.items.byteLength > LARGE_BYTES) leaveGarbage();
  }
  return loaded.dataset;
}

function closeItems(dataset: Dataset | undefined): void {
  if (dataset !== undefined && "close" in dataset.items) dataset.items.close();
}

const scope = self as unknown as {
  postMessage(message: WorkerMessage, transfer?: Transferable[]): void;
  onmessage: (event: MessageEvent<JobMessage>) => void;
};
// Kept before any model's code runs, which may change what is global.
const post = scope.postMessage.bind(scope);
let last: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }) => {
  last = last.then(() => perform(data));
};

async function perform<K extends JobKind>(message: JobMessage<K>) {
  const { id, kind, job, program, engine, cancel, ended } = message;
  try {
    chooseArithmetic(engine.arithmetic);
    endLoopsBy(ended);
    const threads = threadsFor(engine.threads ?? 1);
    models.use({ ended, threads, device: engine.device ?? "cpu" });
    datasetBytes = engine.datasetBytes ?? Infinity;
    const answer = await HANDLERS[kind](job, {
      program,
      onProgress: (progress, seconds) => post({ id, kind: "progress", progress, seconds }),
      throwIfCancelled: () => {
        if (Atomics.load(cancel, 0) !== 0) throw new Cancelled();
      },
    });
    const weights = answer !== null && "weights" in answer ? [answer.weights.buffer] : [];
    post({ id, kind: "done", answer, program: models.tell() }, weights);
    collectGarbage();
  } catch (error) {
    if (error instanceof Cancelled) return post({ id, kind: "cancelled" });
    // What a step that failed leaves, such as ended threads, must not meet the next job.
    models.forget();
    const name = error instanceof Error ? error.name : "Error";
    post({ id, kind: "failed", error: name, reason: messageOf(error) });
  }
}
