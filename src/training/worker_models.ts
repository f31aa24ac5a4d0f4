/**
 * The models of a worker. Their steps are compiled here, or were compiled before; their code runs
 * elsewhere, out of reach of the data, unless a step turns out to be one that only tfjs can run.
 */
import { CompileError, LinkError } from "../kernels/engine.ts";
import { type Dataset, itemKind } from "../data/dataset.ts";
import { chosenArithmetic } from "./chosen_arithmetic.ts";
import { AskedCompiler, loadCompiler } from "./asked_compiler.ts";
import { AwaitingLearner } from "./awaiting_learner.ts";
import { CompiledLearner } from "./compiled_learner.ts";
import type { DeviceChoice } from "./device_choice.ts";
import { checkFit } from "./fit_check.ts";
import type { Learner, LearnerNeeds } from "./learner.ts";
import type { ModelCache } from "./model_cache.ts";
import { modelKey } from "./model_key.ts";
import type { Ask } from "./model_worker/protocol.ts";
import { NotRecordable } from "./step/not_recordable.ts";
import {
  datasetKind,
  lossIn,
  type ModelFacts,
  type ModelProgram,
  settingsKey,
} from "./step/program.ts";
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

/** A model whose steps are compiled, for one kind of dataset. */
interface CompiledModel {
  /** What is known of it, with the steps that were compiled before. */
  readonly program: ModelProgram;
  /** The losses with which it was found to fit the dataset. */
  readonly losses: Set<string>;
  readonly learners: Map<string, KeptLearner>;
}

interface KeptLearner {
  readonly learner: AwaitingLearner;
  readonly compiler: AskedCompiler;
}

/** A worker of many clients meets many sizes of last batches; to tell of each would cost more than it gains. */
const MOST_TOLD = 16;

export class WorkerModels {
  readonly #notice: (text: string) => void;
  readonly #ask: Ask;
  #settings: ModelSettings = {
    threads: 1,
    device: "cpu",
    ended: new Int32Array(new SharedArrayBuffer(4)),
  };
  #opening: Promise<ModelCache> | null = null;
  /** Models that tfjs runs; null as long as there was none. */
  #cache: ModelCache | null = null;
  /** Something was compiled, so that the compiler itself is. */
  #hasPractised = false;
  /** The model that was opened last. */
  #key = "";
  /** It, by kind of dataset. */
  readonly #compiled = new Map<string, CompiledModel>();
  /** How many of its steps are known to others. */
  #toldSteps = 0;
  /** Its program as it is after the last work. */
  #latest: ModelProgram | null = null;

  /**
   * @param notice told once what a person should know, such as of a model that cannot be compiled
   * @param ask who runs the code of models
   */
  constructor(notice: (text: string) => void, ask: Ask) {
    const told = new Set<string>();
    this.#notice = (text) => {
      if (!told.has(text)) notice(text);
      told.add(text);
    };
    this.#ask = ask;
  }

  /** Takes the settings of the jobs that follow. */
  use(settings: ModelSettings): void {
    this.#settings = settings;
  }

  /** Has the compiler itself compiled, unless it has compiled something before. */
  async practise(): Promise<void> {
    if (this.#hasPractised) return;
    this.#hasPractised = true;
    const practice = await import("./practice_step.ts");
    await practice.practise();
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
    this.#latest = null;
    const key = modelKey(source);
    if (key !== this.#key) this.forget();
    this.#key = key;
    if (program !== null) this.#take(program);
    const isCompiled = this.#settings.device === "cpu" && !this.#cache?.has(source);
    if (!isCompiled) return await this.#openCached(source, await reading, loss);
    if (this.#compiled.size > 0) {
      const dataset = await reading;
      const known = this.#compiled.get(datasetKind(dataset));
      if (known?.losses.has(loss)) return this.#openCompiled(known, source, dataset, loss);
    }
    void loadCompiler();
    // Nothing of this job may go on when the next one starts, so each way ends both.
    const both = Promise.allSettled([reading, this.#ask("facts", { source, loss })]);
    await reading.then(() => this.practise(), () => {}); // what is wrong is told below
    const [read, asked] = await both;
    if (read.status === "rejected") throw read.reason;
    if (asked.status === "rejected") throw asked.reason;
    const dataset = read.value;
    const { ends, ...facts } = asked.value;
    checkFit(ends, dataset);
    const kind = datasetKind(dataset);
    let model = this.#compiled.get(kind);
    if (model === undefined) {
      const none = { ...facts, arithmetic: chosenArithmetic(), dataset: kind, learners: {} };
      model = this.#keep(none);
    }
    model.losses.add(loss);
    return this.#openCompiled(model, source, dataset, loss);
  }

  /** The program of the model opened last, if its steps have become more since it was last told. */
  tell(): ModelProgram | null {
    const latest = this.#latest;
    if (latest === null) return null;
    const steps = stepsIn(latest);
    if (steps === this.#toldSteps || steps > MOST_TOLD) return null;
    this.#toldSteps = steps;
    return latest;
  }

  /** Frees the models that are kept. */
  forget(): void {
    for (const { program } of this.#compiled.values()) this.#drop(program.dataset);
    this.#cache?.forget();
    this.#toldSteps = 0;
  }

  #openCompiled(
    model: CompiledModel,
    source: ModelSource,
    dataset: Dataset,
    loss: string,
  ): OpenModel {
    const { program, learners } = model;
    return {
      facts: program,
      dataset,
      work: async (needs, throwIfCancelled, task) => {
        const key = settingsKey(needs.settings);
        try {
          let kept = learners.get(key);
          if (kept === undefined) {
            kept = await this.#makeLearner(program, source, dataset, needs);
            learners.set(key, kept);
          } else {
            const { learner, compiler } = kept;
            compiler.expect(needs.batches, (mode, size) => learner.has(mode, size));
          }
          const { learner } = kept;
          learner.useDataset(dataset);
          const result = await task(learner);
          this.#latest = withLearners(program, learners);
          return result;
        } catch (error) {
          if (error instanceof NotRecordable) {
            this.#drop(program.dataset);
            const cached = await this.#openCached(source, dataset, loss);
            return await cached.work(needs, throwIfCancelled, task);
          }
          if (!(isForeign(error) && key in program.learners)) throw error;
          // What was compiled before is compiled again.
          const model = this.#keep({ ...program, learners: {} });
          model.losses.add(loss);
          const again = this.#openCompiled(model, source, dataset, loss);
          return await again.work(needs, throwIfCancelled, task);
        }
      },
    };
  }

  /** A learner that holds on to no dataset but the one that it was told to use last. */
  async #makeLearner(
    program: ModelProgram,
    source: ModelSource,
    dataset: Dataset,
    needs: LearnerNeeds,
  ): Promise<KeptLearner> {
    const { settings, batches } = needs;
    const compiler = new AskedCompiler(this.#ask, source, settings, itemKind(dataset));
    let kept = program.learners[settingsKey(settings)];
    if (kept === undefined) {
      kept = { residence: await compiler.residence(program, needs), steps: {} };
    }
    const { residence } = kept;
    const { threads, ended } = this.#settings;
    const options = { threads, ended, onNotice: this.#notice };
    const learner: AwaitingLearner = new AwaitingLearner(
      new CompiledLearner(program, settings, dataset, kept, options),
      (mode, size) => compiler.having(mode, size, residence),
      // Not before, as the recording of others would slow the first.
      () => compiler.expect(batches, (mode, size) => learner.has(mode, size)),
    );
    return { learner, compiler };
  }

  async #openCached(source: ModelSource, dataset: Dataset, loss: string): Promise<OpenModel> {
    this.#opening ??= import("./guarded_models.ts").then(({ openModels }) =>
      openModels(this.#notice)
    );
    const cache = Object.assign(await this.#opening, this.#settings);
    this.#cache = cache;
    const { description: { layout }, outputShape } = await cache.open(source, dataset, loss);
    return {
      facts: { layout, outputShape },
      dataset,
      work: (needs, throwIfCancelled, task) => cache.work(dataset, needs, throwIfCancelled, task),
    };
  }

  /** Takes a program that was kept elsewhere. */
  #take(program: ModelProgram): void {
    this.#toldSteps = stepsIn(program);
    if (program.arithmetic !== chosenArithmetic()) return;
    const { losses } = this.#keep(program);
    for (const key of Object.keys(program.learners)) losses.add(lossIn(key));
  }

  #keep(program: ModelProgram): CompiledModel {
    this.#drop(program.dataset);
    const model = { program, losses: new Set<string>(), learners: new Map() };
    this.#compiled.set(program.dataset, model);
    return model;
  }

  #drop(kind: string): void {
    for (const { learner } of this.#compiled.get(kind)?.learners.values() ?? []) learner.dispose();
    this.#compiled.delete(kind);
  }
}

/** Whether a kept module is none that this runtime can run. */
function isForeign(error: unknown): boolean {
  return error instanceof CompileError || error instanceof LinkError;
}

function withLearners(
  program: ModelProgram,
  learners: ReadonlyMap<string, KeptLearner>,
): ModelProgram {
  const used = Array.from(learners, ([key, { learner }]) => [key, learner.program] as const);
  return { ...program, learners: { ...program.learners, ...Object.fromEntries(used) } };
}

function stepsIn({ learners }: ModelProgram): number {
  return Object.values(learners).reduce((sum, { steps }) => sum + Object.keys(steps).length, 0);
}
