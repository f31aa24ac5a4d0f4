/** The model that tfjs itself trains, or that is tried on several devices, with its learners. */
import type { Device } from "../core/metrics.ts";
import { allIndices, seeded } from "../core/prng.ts";
import type { Dataset } from "../data/dataset.ts";
import { startKernels } from "./backend.ts";
import { type BuiltModel, copyWeights, describeBuilt, endsOf } from "./built_model.ts";
import { compileLearner } from "./compile_learner.ts";
import { chooseByTrial, type DeviceChoice } from "./device_choice.ts";
import type { Contestant } from "./device_trial.ts";
import type { Learner, LearnerNeeds } from "./learner.ts";
import { checkFit } from "./fit_check.ts";
import { KeptModel } from "./kept_model.ts";
import { buildModel } from "./model_source.ts";
import { NotRecordable } from "./step/not_recordable.ts";
import { datasetKind, settingsKey } from "./step/program.ts";
import type { EndFlag } from "./threads/barrier.ts";
import type { ModelSource } from "./trainer.ts";
import { startWebGpu } from "./webgpu.ts";

/** One built model and its learners. */
export class ModelCache {
  readonly #notice: (text: string) => void;
  /** Threads that share the steps of learners made from now on. */
  threads = 1;
  /** Where learners made from now on compute. */
  device: DeviceChoice = "cpu";
  /** Ends these threads. */
  ended: EndFlag = new Int32Array(new SharedArrayBuffer(4));
  readonly #model = new KeptModel();
  #opened: { readonly source: ModelSource; readonly built: BuiltModel } | null = null;
  readonly #learners = new Map<string, Learner>();

  /** @param notice told what a person should know, such as of a model that cannot be compiled */
  constructor(notice: (text: string) => void) {
    this.#notice = notice;
  }

  /** Whether this source's model is the one that was opened last. */
  has(source: ModelSource): boolean {
    return this.#model.has(source);
  }

  /**
   * Opens a model for work on a dataset.
   *
   * @throws {ModelError} as `buildModel`, or the model does not fit the dataset
   */
  async open(source: ModelSource, dataset: Dataset, loss: string): Promise<BuiltModel> {
    if (!this.#model.has(source)) this.#disposeLearners();
    const built = await this.#model.of(source);
    checkFit(endsOf(built, loss), dataset);
    this.#opened = { source, built };
    return built;
  }

  /**
   * Gives work to what trains and evaluates the model opened last. If one of its steps turns out not
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
    const { built } = this.#opened!;
    const { settings } = needs;
    const kind = datasetKind(dataset);
    const key = `${this.device} ${settingsKey(settings)} ${kind}`;
    let learner = this.#learners.get(key);
    if (learner === undefined) {
      learner = await this.#makeLearner(built, dataset, needs, throwIfCancelled);
      this.#learners.set(key, learner);
    }
    learner.useDataset(dataset);
    try {
      return await task(learner);
    } catch (error) {
      const eager = await this.#eagerLearner(built, dataset, needs, error);
      learner.dispose();
      this.#learners.set(key, eager);
      return await task(eager);
    }
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
    this.#notice(text);
    for (const [other, learner] of made) if (other !== device) learner.dispose();
    return made.get(device) ?? await make(device);
  }

  /** A model of its own computes there, as tensors of a GPU cannot be read when a step is recorded. */
  async #webGpuLearner(dataset: Dataset, { settings }: LearnerNeeds): Promise<Learner> {
    await startWebGpu();
    await startKernels();
    const built = describeBuilt(await buildModel(this.#opened!.source, 0));
    const { EagerLearner } = await import("./eager_learner.ts");
    return new EagerLearner(built, settings, dataset, "webgpu");
  }

  async #cpuLearner(built: BuiltModel, dataset: Dataset, needs: LearnerNeeds): Promise<Learner> {
    try {
      return compileLearner(built, needs.settings, dataset, needs.batches, {
        threads: this.threads,
        ended: this.ended,
        onNotice: this.#notice,
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
    this.#notice(
      `Model trains slowly, kernel by kernel in tfjs${alone}, as its step cannot be compiled: ` +
        error.reason,
    );
    await startKernels();
    const { EagerLearner } = await import("./eager_learner.ts");
    return new EagerLearner(built, settings, dataset);
  }

  /** Frees the model that was opened last. */
  forget(): void {
    this.#disposeLearners();
    this.#model.forget();
  }

  #disposeLearners(): void {
    for (const learner of this.#learners.values()) learner.dispose();
    this.#learners.clear();
    this.#opened = null;
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
