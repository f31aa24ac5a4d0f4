/** The model that the worker used last, with what was compiled for it: rounds repeat it. */
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { Device } from "../core/metrics.ts";
import { allIndices, seeded } from "../core/prng.ts";
import { allocateWeights } from "../core/weights.ts";
import type { Dataset, ItemKind } from "../data/dataset.ts";
import { areKernelsStarted, startKernels, tf } from "./backend.ts";
import { type BuiltModel, copyWeights, describeBuilt, variableOf } from "./built_model.ts";
import { chosenArithmetic } from "./arithmetic_choice.ts";
import { compileLearner } from "./compile_learner.ts";
import { CompiledLearner } from "./compiled_learner.ts";
import { chooseByTrial, type DeviceChoice } from "./device_choice.ts";
import type { Contestant } from "./device_trial.ts";
import type { Learner, LearnerNeeds, LearnerSettings } from "./learner.ts";
import { checkFit } from "./fit_check.ts";
import { modelKey } from "./model_key.ts";
import { buildModel } from "./model_source.ts";
import { NotRecordable } from "./step/not_recordable.ts";
import { datasetKind, type ModelProgram, settingsKey } from "./step/program.ts";
import { StepCompiler } from "./step_compiler.ts";
import type { EndFlag } from "./threads/barrier.ts";
import type { InitialModel, ModelSource } from "./trainer.ts";
import { withUnsetWeights } from "./unset_weights.ts";
import { startWebGpu } from "./webgpu.ts";

interface Cached {
  readonly key: string;
  readonly source: ModelSource;
  readonly built: BuiltModel;
  readonly learners: Map<string, CachedLearner>;
}

interface CachedLearner {
  readonly learner: Learner;
  readonly settings: LearnerSettings;
  /** Of the dataset that it was made for. */
  readonly kind: string;
}

/** One built model and its learners. */
export class ModelCache {
  readonly #notice: (text: string) => void;
  readonly #noticed = new Set<string>();
  /** Threads that share the steps of learners made from now on. */
  threads = 1;
  /** Where learners made from now on compute. */
  device: DeviceChoice = "cpu";
  /** Ends these threads. */
  ended: EndFlag = new Int32Array(new SharedArrayBuffer(4));
  #cached: Cached | null = null;

  /** @param notice told what a person should know, such as of a model that cannot be compiled */
  constructor(notice: (text: string) => void) {
    this.#notice = notice;
  }

  /**
   * Builds a model with seeded initial weights, in place of the one that was kept.
   *
   * @throws {ModelError} as `buildModel`
   */
  async build(source: ModelSource, seed: number): Promise<BuiltModel> {
    await startKernels();
    return await this.#keep(source, () => buildModel(source, seed));
  }

  async #keep(source: ModelSource, build: () => Promise<LayersModel>): Promise<BuiltModel> {
    this.forget();
    // Everything that its code makes lives until the model is forgotten.
    tf.engine().startScope();
    try {
      const built = describeBuilt(await build());
      this.#cached = { key: modelKey(source), source, built, learners: new Map() };
      return built;
    } catch (error) {
      endModel();
      throw error;
    }
  }

  /**
   * Initial weights of a model, and what else its first round needs; no model is kept.
   *
   * @throws {ModelError} as `buildModel`
   */
  async initialise(source: ModelSource, seed: number): Promise<InitialModel> {
    const built = await this.build(source, seed);
    const { layout, topology } = built.description;
    const encoded = allocateWeights(layout);
    await copyWeights(built, encoded.values);
    this.forget();
    return {
      ...{ weights: encoded.bytes, layout, topology },
      inputShape: built.model.inputs[0]!.shape.slice(1) as number[],
      outputShape: built.outputShape,
    };
  }

  /**
   * The model of a source, whatever its weights are.
   *
   * @throws {ModelError} as `buildModel`
   */
  async of(source: ModelSource): Promise<BuiltModel> {
    if (this.#cached?.key === modelKey(source)) return this.#cached.built;
    const built = await this.#keepUnset(source);
    // Variables that are no weights of the model keep what they begin with, so that must be drawn.
    return hasOtherVariables(built) ? await this.build(source, 0) : built;
  }

  async #keepUnset(source: ModelSource): Promise<BuiltModel> {
    const keep = () => this.#keep(source, () => withUnsetWeights(() => buildModel(source, 0)));
    if (areKernelsStarted()) return await keep();
    try {
      return await keep();
    } catch {
      // Few models compute something when they are built; what else is wrong is so again.
      await startKernels();
      return await keep();
    }
  }

  /**
   * Gives work to what trains and evaluates the model built last. If one of its steps turns out not
   * to be one that can be compiled, the work is done again by tfjs.
   *
   * @param throwIfCancelled called before each step of a trial of devices
   * @throws {ModelError} unknown loss or optimizer, or too little memory
   * @throws {FlotillaError} the device is not there
   */
  async work<T>(
    dataset: Dataset,
    needs: LearnerNeeds,
    throwIfCancelled: () => void,
    task: (learner: Learner) => Promise<T>,
  ): Promise<T> {
    const { built, learners } = this.#cached!;
    const { settings } = needs;
    const kind = datasetKind(dataset);
    const key = `${this.device} ${settingsKey(settings)} ${kind}`;
    let learner = learners.get(key)?.learner;
    if (learner === undefined) {
      learner = await this.#makeLearner(built, dataset, needs, throwIfCancelled);
      learners.set(key, { learner, settings, kind });
    }
    learner.useDataset(dataset);
    try {
      return await task(learner);
    } catch (error) {
      const eager = await this.#eagerLearner(built, dataset, needs, error);
      learner.dispose();
      learners.set(key, { learner: eager, settings, kind });
      return await task(eager);
    }
  }

  /** @throws {ModelError} the model built last does not fit the dataset, as `checkFit` has it */
  checkFit(dataset: Dataset, loss: string): void {
    const { model, description } = this.#cached!.built;
    checkFit(model, description, dataset, loss);
  }

  /**
   * What compiles steps of a model, for learners that have some already.
   *
   * @throws {ModelError} as `buildModel`
   * @throws {NotRecordable} its steps cannot be recorded
   */
  async compilerFor(
    source: ModelSource,
    items: ItemKind,
    { settings, batches }: LearnerNeeds,
  ): Promise<StepCompiler> {
    return new StepCompiler(await this.of(source), settings, items, batches, chosenArithmetic());
  }

  /** The compiled steps of the model built last for datasets of this kind; null if there are none. */
  programFor(dataset: Dataset): ModelProgram | null {
    const { built: { description: { layout }, outputShape }, learners } = this.#cached!;
    const kind = datasetKind(dataset);
    const programs = [...learners.values()].flatMap(({ learner, settings, kind: own }) =>
      own === kind && learner instanceof CompiledLearner
        ? [[settingsKey(settings), learner.program] as const]
        : []
    );
    if (programs.length === 0) return null;
    const facts = { layout, outputShape, arithmetic: chosenArithmetic(), dataset: kind };
    return { ...facts, learners: Object.fromEntries(programs) };
  }

  async #makeLearner(
    built: BuiltModel,
    dataset: Dataset,
    needs: LearnerNeeds,
    throwIfCancelled: () => void,
  ): Promise<Learner> {
    const make = (device: Device) =>
      device === "cpu"
        ? this.#cpuLearner(built, dataset, needs)
        : this.#webGpuLearner(dataset, needs);
    if (this.device !== "auto") return await make(this.device);
    const made = new Map<Device, Learner>();
    const { device, text } = await chooseByTrial(async (device) => {
      const learner = await make(device);
      made.set(device, learner);
      return await contestant(learner, built, needs, throwIfCancelled);
    });
    throwIfCancelled();
    this.noticeOnce(text);
    for (const [other, learner] of made) if (other !== device) learner.dispose();
    return made.get(device) ?? await make(device);
  }

  /** A model of its own computes there, as tensors of a GPU cannot be read when a step is recorded. */
  async #webGpuLearner(dataset: Dataset, { settings }: LearnerNeeds): Promise<Learner> {
    await startWebGpu();
    await startKernels();
    const built = describeBuilt(await buildModel(this.#cached!.source, 0));
    const { EagerLearner } = await import("./eager_learner.ts");
    return new EagerLearner(built, settings, dataset, "webgpu");
  }

  async #cpuLearner(built: BuiltModel, dataset: Dataset, needs: LearnerNeeds): Promise<Learner> {
    try {
      return compileLearner(built, needs.settings, dataset, needs.batches, {
        threads: this.threads,
        ended: this.ended,
        onNotice: (text) => this.noticeOnce(text),
      });
    } catch (error) {
      return await this.#eagerLearner(built, dataset, needs, error);
    }
  }

  /** @throws the error, unless it says that a step cannot be compiled */
  async #eagerLearner(
    built: BuiltModel,
    dataset: Dataset,
    { settings }: LearnerNeeds,
    error: unknown,
  ): Promise<Learner> {
    if (!(error instanceof NotRecordable)) throw error;
    const alone = this.threads > 1 ? " and on one thread" : "";
    this.noticeOnce(
      `Model trains slowly, kernel by kernel in tfjs${alone}, as its step cannot be compiled: ` +
        error.reason,
    );
    await startKernels();
    const { EagerLearner } = await import("./eager_learner.ts");
    return new EagerLearner(built, settings, dataset);
  }

  /** Tells a person something, the first time. */
  noticeOnce(text: string): void {
    if (this.#noticed.has(text)) return;
    this.#noticed.add(text);
    this.#notice(text);
  }

  /** Frees the model that was kept. */
  forget(): void {
    if (this.#cached === null) return;
    for (const { learner } of this.#cached.learners.values()) learner.dispose();
    this.#cached = null;
    endModel();
  }
}

/** A learner's full batches of the first items, with the weights that the model was built with. */
async function contestant(
  learner: Learner,
  built: BuiltModel,
  { settings, batches }: LearnerNeeds,
  throwIfCancelled: () => void,
): Promise<Contestant> {
  const weights = new Float32Array(
    built.description.layout.reduce((sum, { size }) => sum + size, 0),
  );
  await copyWeights(built, weights);
  learner.setWeights(weights);
  const trains = settings.optimizer !== null;
  if (trains) learner.startTraining({ learningRate: 1e-6, random: seeded(0) });
  const batch = allIndices((trains ? batches.train : batches.evaluate)[0] ?? 1);
  return {
    device: learner.device,
    async step() {
      throwIfCancelled();
      await (trains ? learner.train(batch) : learner.evaluate(batch));
    },
  };
}

function hasOtherVariables({ model }: BuiltModel): boolean {
  const own = new Set(model.weights.map(variableOf));
  return Object.values(tf.engine().registeredVariables).some((variable) => !own.has(variable));
}

function endModel(): void {
  tf.engine().endScope();
  tf.disposeVariables();
}
