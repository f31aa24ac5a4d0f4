/**
 * The real trainer: hands each call to a worker that may read one dataset's folder and nothing
 * else, and starts a new worker when another dataset is asked for or the old one died. The code of
 * models runs in a worker of its own, which may read nothing.
 */
import type { EndFlag } from "./threads/barrier.ts";
import { threadsFor, threadsNotice } from "./threads_choice.ts";
import { deriveSeed } from "../core/derive_seed.ts";
import { systemClock } from "../core/clock.ts";
import { FlotillaError, ModelError } from "../core/errors.ts";
import type { Evaluation } from "../core/metrics.ts";
import { readDatasetSpec } from "../data/spec.ts";
import type { DatasetSpec } from "../data/dataset.ts";
import type { ExplanationRequest, ModelExplainer, ModelExplanation } from "./explanation.ts";
import type {
  Answers,
  EngineSettings,
  JobKind,
  JobMessage,
  Jobs,
  QuestionOfWorker,
  ToWorker,
  WorkerMessage,
} from "./protocol.ts";
import { firstQuestions, type JobOfKind } from "./first_questions.ts";
import { collectGarbage, leaveGarbage } from "./garbage.ts";
import { ModelWorker } from "./model_worker/model_worker.ts";
import type { QuestionAnswers, QuestionKind, Questions } from "./model_worker/protocol.ts";
import { errorOf, passed } from "./passed_error.ts";
import { programKey } from "./program_key.ts";
import { MemoryPrograms, type ProgramStore } from "./program_store.ts";
import { startTrainingWorker } from "./start_training_worker.ts";
import { SlowerDevice } from "./slower_device.ts";
import type { ModelProgram } from "./step/program.ts";
import type { LoopContext } from "./train_loop.ts";
import type {
  EvaluationRequest,
  InitialModel,
  ModelSource,
  OnProgress,
  Trainer,
  TrainingRequest,
  TrainingResult,
} from "./trainer.ts";
import { UnpackedDatasets } from "./unpacked_datasets.ts";

/** Limits of a trainer. */
export interface WorkerTrainerOptions {
  /**
   * Folders of datasets that one worker serves in turn, all of which it may read; for trials that
   * hold many clients in a process. Any other folder gets a worker that may read it alone.
   *
   * @default {[]}
   */
  readonly sharedFolders?: readonly string[];
  /** How its worker computes. @default {{ arithmetic: "auto" }} */
  readonly engine?: EngineSettings;
  /** Milliseconds that a model may take to be built or checked. @default {60000} */
  readonly buildLimitMs?: number;
  /** Milliseconds after an abort until a worker that does not heed it is ended. @default {2000} */
  readonly abortGraceMs?: number;
  /** Keeps compiled steps for later workers. @default {as long as the trainer} */
  readonly programs?: ProgramStore;
  /**
   * Folder in which temporary ones are made for datasets that have to be unpacked, as they are larger
   * than memory.
   *
   * @default the system's
   */
  readonly scratchFolder?: string;
  /** Told what a person should know, such as that a model trains slowly. @default {() => {}} */
  readonly onNotice?: (text: string) => void;
}

/** A trainer whose worker starts with the first call; it also explains models. */
export function createWorkerTrainer(
  options: WorkerTrainerOptions = {},
): Required<Trainer> & ModelExplainer {
  return new WorkerTrainer(options);
}

/** A worker and the folders it may read. */
interface RunningWorker {
  readonly worker: Worker;
  readonly folders: readonly string[];
  /** Set when it has ended. */
  readonly ended: EndFlag;
  /** The key of the program that it has. */
  programKey: string | null;
}

/** The call that the worker is busy with. */
interface CallInFlight {
  readonly id: number;
  /** Under which programs of its model are kept. */
  readonly programKey: string | null;
  readonly onProgress: LoopContext["onProgress"];
  /** Its first step is done, and what else it needs of its model was asked for before. */
  hasProgress: boolean;
  readonly resolve: (answer: Answers[JobKind]) => void;
  readonly reject: (reason: unknown) => void;
}

class WorkerTrainer implements Trainer, ModelExplainer {
  readonly #sharedFolders: readonly string[];
  readonly #engine: EngineSettings;
  readonly #buildLimitMs: number;
  readonly #abortGraceMs: number;
  readonly #onNotice: (text: string) => void;
  readonly #programs: ProgramStore;
  readonly #unpacked: UnpackedDatasets;
  readonly #models: ModelWorker;
  #running: RunningWorker | null = null;
  #inFlight: CallInFlight | null = null;
  #lastId = 0;
  #queue: Promise<unknown> = Promise.resolve();
  /** Calls that wait for their turn. */
  #waiting = 0;
  readonly #closed = new AbortController();

  constructor(
    {
      sharedFolders = [],
      engine = { arithmetic: "auto" },
      buildLimitMs = 60_000,
      abortGraceMs = 2000,
      programs = new MemoryPrograms(),
      onNotice = () => {},
      scratchFolder,
    }: WorkerTrainerOptions,
  ) {
    // Specs of datasets name their folders by real path.
    this.#sharedFolders = sharedFolders.map((folder) => Deno.realPathSync(folder));
    this.#engine = engine;
    this.#buildLimitMs = buildLimitMs;
    this.#abortGraceMs = abortGraceMs;
    this.#onNotice = onNotice;
    this.#programs = programs;
    this.#models = new ModelWorker(engine.arithmetic);
    this.#unpacked = new UnpackedDatasets({
      budgetBytes: engine.datasetBytes ?? Infinity,
      ...(scratchFolder !== undefined && { scratchFolder }),
      onNotice,
    });
    const notice = threadsNotice(engine.threads ?? 1);
    if (notice !== null) onNotice(notice);
  }

  initialise(source: ModelSource, seed: number): Promise<InitialModel> {
    return this.#inTurn(() => this.#askWithin("initialise", { source, seed }));
  }

  explain(request: ExplanationRequest): Promise<ModelExplanation> {
    return this.#inTurn(() => this.#askWithin("explain", request));
  }

  async check(source: ModelSource, datasetFolder: string, loss: string): Promise<void> {
    await this.#inTurn(async () => {
      const spec = await this.#dataset(datasetFolder);
      return this.#withinLimit((signal) =>
        this.#call("check", { source, loss, dataset: spec }, spec, signal)
      );
    });
  }

  async train(
    request: TrainingRequest,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<TrainingResult> {
    const { datasetFolder, slowdown, seed, ...job } = request;
    const seeds = { order: seed, layers: deriveSeed(seed, "random layers") };
    const device = this.#device(slowdown, signal);
    const timeLimitSeconds = device.ownSeconds(job.settings.timeLimitSeconds);
    const { metrics, ...trained } = await this.#inTurn(async () => {
      this.#startModels();
      const spec = await this.#dataset(datasetFolder, signal);
      const settings = { ...job.settings, timeLimitSeconds };
      return this.#call(
        "train",
        { ...job, settings, seeds, dataset: spec },
        spec,
        signal,
        (progress, seconds) => device.tell(seconds, () => onProgress(progress)),
      );
    }, signal);
    const trainSeconds = await device.finish(metrics.trainSeconds);
    return { ...trained, metrics: { ...metrics, trainSeconds } };
  }

  async evaluate(request: EvaluationRequest, signal: AbortSignal): Promise<Evaluation> {
    const { datasetFolder, slowdown, ...job } = request;
    const { evaluation, seconds } = await this.#inTurn(async () => {
      const spec = await this.#dataset(datasetFolder, signal);
      return this.#call("evaluate", { ...job, dataset: spec }, spec, signal);
    }, signal);
    await this.#device(slowdown, signal).finish(seconds);
    return evaluation;
  }

  prepare(datasetFolder: string): Promise<void> {
    return this.#inTurn(async () => {
      const spec = await this.#dataset(datasetFolder);
      // Loading its modules is the greater part of what the first step waits for. Of many clients
      // in a process the first that trains starts it for all.
      if (this.#closed.signal.aborted || this.#sharedFolders.length > 0) return;
      if (this.#running?.folders.includes(spec.folder)) return;
      this.#startModels();
      this.#workerFor(spec.folder);
      if (!this.#programs.isEmpty || !this.#compiles) return;
      await this.#call("prepare", null, spec, this.#closed.signal);
      // Whoever waits has a model to build, which is practice enough.
      if (this.#waiting === 0) this.#models.practise();
    }).catch(() => {});
  }

  close(): void {
    this.#closed.abort(new FlotillaError("Cannot use a trainer that was closed"));
    this.#endWorker(this.#closed.signal.reason);
    this.#models.end(this.#closed.signal.reason);
    this.#unpacked.close();
  }

  /** What the worker shall read. */
  async #dataset(folder: string, signal?: AbortSignal): Promise<DatasetSpec> {
    const { spec } = await readDatasetSpec(folder);
    const closed = this.#closed.signal;
    return this.#unpacked.within(spec, signal ? AbortSignal.any([signal, closed]) : closed);
  }

  #device(slowdown = 1, signal: AbortSignal): SlowerDevice {
    return new SlowerDevice(slowdown, systemClock, AbortSignal.any([signal, this.#closed.signal]));
  }

  /** Runs calls one after another; one whose signal aborts while it waits never starts. */
  #inTurn<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#waiting += 1;
    const turn = this.#queue.then(() => {
      this.#waiting -= 1;
      this.#closed.signal.throwIfAborted();
      signal?.throwIfAborted();
      return call();
    });
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /** What has no signal of its own gets one from the time limit. */
  async #withinLimit<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = new AbortController();
    const seconds = this.#buildLimitMs / 1000;
    const timer = setTimeout(() => {
      limit.abort(new ModelError(`Cannot build the model as it takes over ${seconds} s`));
    }, this.#buildLimitMs);
    try {
      return await run(limit.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  #askWithin<K extends QuestionKind>(
    kind: K,
    question: Questions[K],
  ): Promise<QuestionAnswers[K]> {
    return this.#withinLimit((signal) => {
      signal.addEventListener("abort", () => this.#models.end(signal.reason));
      return this.#models.ask(kind, question);
    });
  }

  async #call<K extends JobKind>(
    kind: K,
    job: Jobs[K],
    dataset: DatasetSpec,
    signal: AbortSignal,
    onProgress: LoopContext["onProgress"] = () => {},
  ): Promise<Answers[K]> {
    const key = job !== null && "weights" in job ? programKey(job, this.#engine) : null;
    const kept = key === null ? null : await this.#programs.get(key);
    signal.throwIfAborted();
    // Its worker starts before the other one, as it takes longer to have its first answer.
    if (kept === null && this.#running?.programKey !== key) this.#expect(kind, job);
    const running = this.#workerFor(dataset.folder);
    const { worker, ended } = running;
    const program = running.programKey === key ? null : kept;
    if (key !== null) running.programKey = key;
    const cancel = new Int32Array(new SharedArrayBuffer(4));
    const id = ++this.#lastId;
    let graceTimer: ReturnType<typeof setTimeout> | undefined;
    const stop = () => {
      Atomics.store(cancel, 0, 1);
      // What the worker may wait for.
      if (!this.#models.isIdle) this.#models.end(signal.reason);
      // A worker inside a model's own endless loop sees no flag.
      graceTimer = setTimeout(() => this.#endWorker(signal.reason), this.#abortGraceMs);
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await new Promise<Answers[K]>((resolve, reject) => {
        const answer = resolve as CallInFlight["resolve"];
        this.#inFlight = {
          ...{ id, programKey: key, onProgress, hasProgress: false },
          ...{ resolve: answer, reject },
        };
        const message: JobMessage<K> = {
          ...{ id, kind, job, program },
          engine: this.#engine,
          cancel,
          ended,
        };
        worker.postMessage(message);
        if (signal.aborted) stop();
      });
    } catch (error) {
      throw error instanceof Cancellation ? signal.reason : error;
    } finally {
      clearTimeout(graceTimer);
      signal.removeEventListener("abort", stop);
      this.#inFlight = null;
      this.#models.expectNothing();
      // A model that was checked is asked for its initial weights next.
      if (kind === "train" || kind === "evaluate") this.#restModels();
    }
  }

  /** The running worker if it may read this folder, else a new one. */
  #workerFor(folder: string): RunningWorker {
    const running = this.#running;
    // Where datasets share a worker, so do those that were unpacked.
    const root = this.#sharedFolders.length > 0 ? this.#unpacked.root : null;
    const shared = root === null ? this.#sharedFolders : [...this.#sharedFolders, root];
    const readAs = root !== null && this.#unpacked.holds(folder) ? root : folder;
    if (running?.folders.includes(readAs)) return running;
    const folders = shared.includes(readAs) ? shared : [readAs];
    this.#endWorker(new FlotillaError("The training worker was replaced"));
    const worker = startTrainingWorker(folders, threadsFor(this.#engine.threads ?? 1));
    const flag = new Int32Array(new SharedArrayBuffer(4));
    this.#running = { worker, folders, ended: flag, programKey: null };
    worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => this.#receive(worker, data);
    worker.onerror = (event) => {
      event.preventDefault();
      if (this.#running?.worker !== worker) return;
      this.#endWorker(new FlotillaError(`Training worker failed: ${event.message}`));
    };
    worker.onmessageerror = () => {
      if (this.#running?.worker !== worker) return;
      this.#endWorker(new FlotillaError("Training worker sent a message that cannot be read"));
    };
    return this.#running;
  }

  /**
   * Starts the worker of models before anybody knows for certain that it is needed. With programs kept,
   * most likely nothing will be recorded or compiled, and a running worker asks for what it needs.
   */
  #startModels(): void {
    if (this.#running === null && this.#programs.isEmpty && this.#compiles) this.#models.start();
  }

  /** Whether steps are compiled, not run by tfjs on another device. */
  get #compiles(): boolean {
    return (this.#engine.device ?? "cpu") === "cpu";
  }

  /** Has the first of a job's questions answered before its worker has started. */
  #expect<K extends JobKind>(kind: K, job: Jobs[K]): void {
    if (!this.#compiles) return;
    // Which kind it is says of which it is the job.
    const questions = firstQuestions({ kind, job } as JobOfKind);
    if (questions === null) return;
    this.#models.expect("facts", questions.facts);
    if (questions.step !== null) this.#models.expect("record", questions.step);
  }

  /** Answers what a training worker asks. */
  async #answer(to: Worker, { id, kind, question }: QuestionOfWorker): Promise<void> {
    let answer;
    try {
      answer = { answer: await this.#models.ask(kind, question) };
    } catch (error) {
      answer = { error: passed(error) };
    }
    const message: ToWorker = { id, kind: "answer", ...answer };
    if (this.#running?.worker === to) to.postMessage(message);
    if (kind === "record" && this.#inFlight?.hasProgress === true) this.#restModels();
  }

  /**
   * Collects what the work before the training has left, such as the update of another round: a client
   * would grow by it. Who holds many clients has other things to do.
   */
  #collectGarbage(): void {
    if (this.#sharedFolders.length > 0) return;
    leaveGarbage();
    collectGarbage();
  }

  /**
   * Ends the worker of models when all steps of a job are recorded, so that a client that trains is
   * small. Clients that share a trainer need steps for other batches all the time.
   */
  #restModels(): void {
    if (this.#sharedFolders.length > 0 || !this.#models.isIdle) return;
    this.#models.end(new FlotillaError("The model worker has nothing to do"));
  }

  #receive(worker: Worker, message: WorkerMessage): void {
    if (message.kind === "notice") return this.#onNotice(message.text);
    if (message.kind === "questions") {
      for (const question of message.questions) void this.#answer(worker, question);
      return;
    }
    const call = this.#inFlight;
    if (call === null || message.id !== call.id) return;
    switch (message.kind) {
      case "progress":
        if (!call.hasProgress) {
          call.hasProgress = true;
          this.#restModels();
          // Nothing is waited for here as long as steps follow.
          const { batchesDone, batchesTotal } = message.progress;
          if (batchesDone < batchesTotal) this.#collectGarbage();
        }
        return call.onProgress(message.progress, message.seconds);
      case "done":
        this.#keep(call.programKey, message.program);
        return call.resolve(message.answer);
      case "cancelled":
        return call.reject(new Cancellation());
      case "failed":
        // What failed left the worker without any model.
        if (this.#running !== null) this.#running.programKey = null;
        return call.reject(errorOf(message.error));
    }
  }

  #keep(key: string | null, program: ModelProgram | null): void {
    if (key === null || program === null) return;
    this.#programs.put(key, program).catch(() => {});
  }

  #endWorker(reason: unknown): void {
    if (this.#running !== null) {
      this.#running.worker.terminate();
      Atomics.store(this.#running.ended, 0, 1);
    }
    this.#running = null;
    this.#inFlight?.reject(reason);
    this.#inFlight = null;
  }
}

/** The worker's word that it saw the flag. */
class Cancellation extends Error {}
