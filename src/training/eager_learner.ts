/**
 * Trains with tfjs's own tensors, kernel by kernel: for steps that cannot be compiled, and for
 * devices that only tfjs knows.
 */
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import type { Device } from "../core/metrics.ts";
import type { Dataset } from "../data/dataset.ts";
import { countRight } from "./accuracy.ts";
import { onBackend, tf } from "./backend.ts";
import { batchMaker, type MakeBatch } from "./batches.ts";
import { type BuiltModel, copyWeights, setWeights, trainableVariables } from "./built_model.ts";
import type { BatchOutcome, Learner, LearnerSettings, TrainingStart } from "./learner.ts";
import { FLOTILLA_BACKEND } from "./eager/flotilla_backend.ts";
import { type Loss, lossOf } from "./losses.ts";
import { makeOptimizer, type Optimizer } from "./optimizers.ts";

/** The backend of tfjs that computes on each device. */
const BACKENDS: Readonly<Record<Device, string>> = { cpu: FLOTILLA_BACKEND, webgpu: "webgpu" };

/** What a step leaves on the device until it is read. */
interface StepTensors {
  readonly loss: Tensor;
  readonly outputs: Tensor;
}

/** A learner that runs the model itself, whose variables hold the weights. */
export class EagerLearner implements Learner {
  readonly device: Device;
  readonly threads = 1;
  readonly #built: BuiltModel;
  readonly #settings: LearnerSettings;
  readonly #loss: Loss;
  #dataset: Dataset;
  #makeBatch: MakeBatch;
  #optimizer: Optimizer | null = null;

  /**
   * @param device whose backend is started
   * @throws {ModelError} unknown loss
   */
  constructor(
    built: BuiltModel,
    settings: LearnerSettings,
    dataset: Dataset,
    device: Device = "cpu",
  ) {
    this.device = device;
    this.#built = built;
    this.#settings = settings;
    this.#loss = lossOf(settings.loss);
    this.#dataset = dataset;
    this.#makeBatch = batchMaker(dataset, this.#loss.takesClasses, built.outputShape);
  }

  useDataset(dataset: Dataset): void {
    this.#dataset = dataset;
    this.#makeBatch = batchMaker(dataset, this.#loss.takesClasses, this.#built.outputShape);
  }

  setWeights(values: Float32Array): void {
    onBackend(BACKENDS[this.device], () => setWeights(this.#built, values));
  }

  copyWeights(into: Float32Array): Promise<void> {
    return copyWeights(this.#built, into);
  }

  /** @throws {ModelError} unknown optimizer or arguments */
  startTraining({ learningRate, random }: TrainingStart): void {
    this.#optimizer?.dispose();
    const { optimizer } = this.#settings;
    if (optimizer === null) throw new TypeError("Cannot train without an optimizer");
    const { name, args, proximalMu } = optimizer;
    this.#optimizer = makeOptimizer(name, learningRate, args, proximalMu);
    Math.random = random;
  }

  train(batch: Int32Array): Promise<BatchOutcome> {
    const { model, isProbability } = this.#built;
    const variables = trainableVariables(this.#built);
    return this.#outcome(batch, (inputs, targets) => {
      let outputs: Tensor | undefined;
      const { value, grads } = tf.variableGrads(() => {
        outputs = tf.keep(model.apply(inputs, { training: true }) as Tensor);
        const mean = this.#loss.mean(outputs, targets, isProbability);
        return model.calculateLosses().reduce((sum, part) => tf.add(sum, part), mean) as Scalar;
      }, variables);
      this.#optimizer!.applyGradients(grads, variables);
      return { loss: value, outputs: outputs! };
    });
  }

  evaluate(batch: Int32Array): Promise<BatchOutcome> {
    const { model, isProbability } = this.#built;
    return this.#outcome(batch, (inputs, targets) => {
      const outputs = model.apply(inputs, { training: false }) as Tensor;
      return { loss: this.#loss.mean(outputs, targets, isProbability), outputs };
    });
  }

  /** Starts a step at once, and reads what it leaves when the device is done. */
  async #outcome(
    batch: Int32Array,
    step: (inputs: Tensor, targets: Tensor) => StepTensors,
  ): Promise<BatchOutcome> {
    // The order of items goes on while the device computes.
    const indices = batch.slice();
    const { loss, outputs } = onBackend(BACKENDS[this.device], () =>
      tf.tidy(() => {
        const { inputs, targets } = this.#makeBatch(indices);
        const left = step(inputs, targets);
        return { loss: tf.keep(left.loss), outputs: tf.keep(left.outputs) };
      }));
    try {
      const [losses, answers] = await Promise.all([loss.data(), outputs.data()]);
      return { loss: losses[0]!, right: countRight(answers, indices, this.#dataset) };
    } finally {
      tf.dispose([loss, outputs]);
    }
  }

  dispose(): void {
    this.#optimizer?.dispose();
    this.#optimizer = null;
  }
}
