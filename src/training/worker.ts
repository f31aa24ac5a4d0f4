/**
 * The worker in which all training happens, one job after another. It may read one dataset's folder
 * and nothing else, as the code of a model whose steps cannot be compiled runs in it.
 */
import { allocateWeights, checkWeights, decodeWeights } from "../core/weights.ts";
import type { Dataset, DatasetSpec } from "../data/dataset.ts";
import { fileStamps } from "../data/file_stamps.ts";
import { loadWithin } from "../data/load.ts";
import { chooseArithmetic } from "./arithmetic_choice.ts";
import { chosenArithmetic } from "./chosen_arithmetic.ts";
import { batchSizes } from "./batch_shape.ts";
import { evaluateItems, evaluationBatch } from "./evaluate.ts";
import { endLoopsBy } from "./endable_loops.ts";
import { collectGarbage, leaveGarbage } from "./garbage.ts";
import { evaluationSettings, trainingSettings } from "./learner.ts";
import type { Ask } from "./model_worker/protocol.ts";
import { errorOf, passed } from "./passed_error.ts";
import type {
  Answers,
  AnswerToQuestion,
  JobKind,
  JobMessage,
  Jobs,
  QuestionOfWorker,
  ToWorker,
  WorkerMessage,
} from "./protocol.ts";
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
    await models.practise();
    return null;
  },
  async check({ source, dataset: spec, loss }) {
    await models.open(source, load(spec), loss, null);
    return null;
  },
  async train({ dataset: spec, weights, settings, splitSeed, seeds, ...source }, context) {
    const opened = await models.open(source, load(spec), settings.loss, context.program);
    const { dataset, facts: { layout } } = opened;
    const given = decodeWeights(weights);
    checkWeights(given, layout);
    const { train, test } = splitIndices(dataset.count, splitSeed);
    const { throwIfCancelled } = context;
    const testBatch = evaluationBatch(settings.batchSize, dataset);
    const needs = {
      settings: trainingSettings(settings),
      batches: {
        train: batchSizes(train.length, settings.batchSize),
        evaluate: batchSizes(test.length, testBatch),
      },
    };
    const loop = { ...context, now: () => performance.now() };
    return await opened.work(needs, throwIfCancelled, async (learner) => {
      learner.setWeights(given.values);
      const trained = await trainItems(learner, dataset, train, settings, seeds, loop);
      const tested = await evaluateItems(learner, test, testBatch, throwIfCancelled);
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
    const size = evaluationBatch(batchSize, dataset);
    const needs = {
      settings: evaluationSettings(loss),
      batches: { train: [], evaluate: batchSizes(indices.length, size) },
    };
    return await opened.work(needs, throwIfCancelled, async (learner) => {
      learner.setWeights(given.values);
      const startedMs = performance.now();
      const result = await evaluateItems(learner, indices, size, throwIfCancelled);
      return {
        evaluation: result ?? { loss: 0, accuracy: null, samples: 0 },
        seconds: (performance.now() - startedMs) / 1000,
      };
    });
  },
};

/** Questions about models that wait for their answers, by number. */
const waiting = new Map<number, PromiseWithResolvers<never>>();
/** Questions that were not sent yet. */
const questions: QuestionOfWorker[] = [];
let lastQuestion = 0;

const ask: Ask = (kind, question) => {
  const id = ++lastQuestion;
  const answer = Promise.withResolvers<never>();
  waiting.set(id, answer);
  // Those asked together go together, so that whoever answers knows when all are answered.
  if (questions.push({ id, kind, question }) === 1) {
    queueMicrotask(() => post({ id: 0, kind: "questions", questions: questions.splice(0) }));
  }
  return answer.promise;
};

const models = new WorkerModels((text) => post({ id: 0, kind: "notice", text }), ask);
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
  onmessage: (event: MessageEvent<ToWorker>) => void;
};
// Kept before any model's code runs, which may change what is global.
const post = scope.postMessage.bind(scope);
let last: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }) => {
  if (data.kind !== "answer") last = last.then(() => perform(data));
  else take(data);
};

/** Takes an answer, which a job waits for. */
function take(message: AnswerToQuestion): void {
  const question = waiting.get(message.id);
  waiting.delete(message.id);
  if ("error" in message) question?.reject(errorOf(message.error));
  // Of the kind that was asked for.
  else question?.resolve(message.answer as never);
}

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
        // A worker that was ended goes on until it comes back to its event loop, which steps do not.
        if (Atomics.load(cancel, 0) !== 0 || Atomics.load(ended, 0) !== 0) throw new Cancelled();
      },
    });
    const weights = answer !== null && "weights" in answer ? [answer.weights.buffer] : [];
    post({ id, kind: "done", answer, program: models.tell() }, weights);
    collectGarbage();
  } catch (error) {
    if (error instanceof Cancelled) return post({ id, kind: "cancelled" });
    // What a step that failed leaves, such as ended threads, must not meet the next job.
    models.forget();
    // What a job waits for is ended when the job is cancelled.
    if (Atomics.load(cancel, 0) !== 0) post({ id, kind: "cancelled" });
    else post({ id, kind: "failed", error: passed(error) });
  }
}
