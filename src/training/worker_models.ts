/**
 * The models of a worker. One whose steps were compiled before runs by these alone: it is built, and
 * what builds models is loaded, only when something else is asked of it.
 */
import { type Dataset, itemKind } from "../data/dataset.ts";
import { chosenArithmetic } from "./arithmetic_choice.ts";
import { AwaitingLearner } from "./awaiting_learner.ts";
import { CompiledLearner } from "./compiled_learner.ts";
import type { DeviceChoice } from "./device_choice.ts";
import type { Learner, LearnerNeeds } from "./learner.ts";
import type { ModelCache } from "./model_cache.ts";
import { NotRecordable } from "./step/not_recordable.ts";
import {
  datasetKind,
  type LearnerProgram,
  type ModelFacts,
  type ModelProgram,
  settingsKey,
} from "./step/program.ts";
import { modelKey } from "./model_key.ts";
import type { EndFlag } from "./threads/barrier.ts";
import type { ModelSource } from "./trainer.ts";

/** How the models compute. */
export interface ModelSettings {
  readonly threads: number;
  readonly device: DeviceChoice;
  /** Ends their threads. */
  readonly ended: EndFlag;
}

/** A model with the dataset that it was found to fit. */
export interface OpenModel {
  readonly facts: ModelFacts;
  readonly dataset: Dataset;
  /**
   * Gives work to what trains and evaluates the model. If one of its steps turns out not to be one
   * that can be compiled, the work is done again by tfjs.
   *
   * @param throwIfCancelled called before each step of a trial of devices
   * @throws {ModelError} unknown loss or optimizer, or too little memory
   * @throws {FlotillaError} the device is not there
   */
  work<T>(
    needs: LearnerNeeds,
    throwIfCancelled: () => void,
    task: (learner: Learner) => Promise<T>,
  ): Promise<T>;
}

/** A model that runs by its program. */
interface Running {
  readonly key: string;
  readonly program: ModelProgram;
  readonly learners: Map<string, AwaitingLearner>;
}

/** A worker of many clients meets many sizes of last batches; to tell of each would cost more than it gains. */
const MOST_TOLD = 16;

export class WorkerModels {
  readonly #notice: (text: string) => void;
  #settings: ModelSettings = {
    threads: 1,
    device: "cpu",
    ended: new Int32Array(new SharedArrayBuffer(4)),
  };
  #opening: Promise<ModelCache> | null = null;
  #cache: ModelCache | null = null;
  #running: Running | null = null;
  /** The model whose program is known to others, and how many steps of it. */
  #told = { key: "", steps: 0 };
  /** The program of that model as it is after the last work. */
  #latest: ModelProgram | null = null;

  /** @param notice told what a person should know, such as of a model that cannot be compiled */
  constructor(notice: (text: string) => void) {
    this.#notice = notice;
  }

  /** Takes the settings of the jobs that follow. */
  use(settings: ModelSettings): void {
    this.#settings = settings;
  }

  /** What builds models; loaded when it is first needed. */
  async cache(): Promise<ModelCache> {
    this.#opening ??= import("./guarded_models.ts").then(({ openModels }) =>
      openModels(this.#notice)
    );
    this.#cache = await this.#opening;
    return Object.assign(this.#cache, this.#settings);
  }

  /**
   * A model for a dataset that is being read.
   *
   * @param program of the model from before; null if there is none, or it was given with the last job
   * @throws {DataError} as the reading
   * @throws {ModelError} the model cannot be built, or does not fit the dataset
   */
  async open(
    source: ModelSource,
    reading: Promise<Dataset>,
    loss: string,
    program: ModelProgram | null,
  ): Promise<OpenModel> {
    // Nothing of this job may go on when the next one starts, so each way ends both.
    this.#latest = null;
    const key = modelKey(source);
    if (key !== this.#told.key) this.#told = { key, steps: 0 };
    if (program !== null) this.#run(key, program);
    const running = this.#running?.key === key ? this.#running : null;
    if (running !== null && running.program.arithmetic === chosenArithmetic()) {
      const dataset = await reading;
      if (this.#settings.device === "cpu" && datasetKind(dataset) === running.program.dataset) {
        return this.#programmed(running, source, dataset, loss);
      }
    }
    this.#forgetRunning();
    return await this.#built(source, reading, loss);
  }

  /** The program of the model opened last, if its steps have become more since it was last told. */
  tell(): ModelProgram | null {
    const latest = this.#latest;
    if (latest === null) return null;
    const steps = stepsIn(latest);
    if (steps === this.#told.steps || steps > MOST_TOLD) return null;
    this.#told = { ...this.#told, steps };
    return latest;
  }

  /** Frees the models that are kept. */
  forget(): void {
    this.#forgetRunning();
    this.#cache?.forget();
  }

  #programmed(
    running: Running,
    source: ModelSource,
    dataset: Dataset,
    loss: string,
  ): OpenModel {
    const { program, learners } = running;
    const build = () => this.#built(source, Promise.resolve(dataset), loss);
    return {
      facts: program,
      dataset,
      work: async (needs, throwIfCancelled, task) => {
        const key = settingsKey(needs.settings);
        const kept = program.learners[key];
        if (kept === undefined) {
          const result = await (await build()).work(needs, throwIfCancelled, task);
          this.#latest &&= withLearners(program, this.#latest.learners);
          return result;
        }
        let learner = learners.get(key);
        if (learner === undefined) {
          learner = this.#learner(source, program, kept, dataset, needs);
          learners.set(key, learner);
        }
        learner.useDataset(dataset);
        try {
          const result = await task(learner);
          const used = Array.from(learners, ([key, { program }]) => [key, program] as const);
          this.#latest = withLearners(program, Object.fromEntries(used));
          return result;
        } catch (error) {
          if (!(error instanceof NotRecordable || isForeign(error))) throw error;
          this.#forgetRunning();
          return await (await build()).work(needs, throwIfCancelled, task);
        }
      },
    };
  }

  /** A learner that holds on to no dataset but the one that it was told to use last. */
  #learner(
    source: ModelSource,
    program: ModelProgram,
    kept: LearnerProgram,
    dataset: Dataset,
    needs: LearnerNeeds,
  ): AwaitingLearner {
    const { threads, ended } = this.#settings;
    const options = { threads, ended, onNotice: this.#notice };
    const items = itemKind(dataset);
    return new AwaitingLearner(
      new CompiledLearner(program, needs.settings, dataset, { program: kept }, options),
      async () => (await this.cache()).compilerFor(source, items, needs),
    );
  }

  async #built(
    source: ModelSource,
    reading: Promise<Dataset>,
    loss: string,
  ): Promise<OpenModel> {
    const building = this.cache().then(async (cache) => ({ cache, built: await cache.of(source) }));
    const [read, made] = await Promise.allSettled([reading, building]);
    if (read.status === "rejected") throw read.reason;
    if (made.status === "rejected") throw made.reason;
    const dataset = read.value;
    const { cache, built } = made.value;
    cache.checkFit(dataset, loss);
    const { description: { layout }, outputShape } = built;
    return {
      facts: { layout, outputShape },
      dataset,
      work: async (needs, throwIfCancelled, task) => {
        const result = await cache.work(dataset, needs, throwIfCancelled, task);
        this.#latest = cache.programFor(dataset);
        return result;
      },
    };
  }

  #run(key: string, program: ModelProgram): void {
    this.#forgetRunning();
    this.#running = { key, program, learners: new Map() };
    this.#told = { key, steps: stepsIn(program) };
  }

  #forgetRunning(): void {
    for (const learner of this.#running?.learners.values() ?? []) learner.dispose();
    this.#running = null;
  }
}

/** Whether a kept module is none that this runtime can run. */
function isForeign(error: unknown): boolean {
  return error instanceof WebAssembly.CompileError || error instanceof WebAssembly.LinkError;
}

function withLearners(
  program: ModelProgram,
  learners: ModelProgram["learners"],
): ModelProgram {
  return { ...program, learners: { ...program.learners, ...learners } };
}

function stepsIn({ learners }: ModelProgram): number {
  return Object.values(learners).reduce((sum, { steps }) => sum + Object.keys(steps).length, 0);
}
