/** Trains with tfjs's own tensors, kernel by kernel: for steps that cannot be compiled. */
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import type { Dataset } from "../data/dataset.ts";
import { countRight } from "./accuracy.ts";
import { tf } from "./backend.ts";
import { batchMaker, type MakeBatch } from "./batches.ts";
import { type BuiltModel, copyWeights, setWeights, trainableVariables } from "./built_model.ts";
import type { BatchOutcome, Learner, LearnerSettings, TrainingStart } from "./learner.ts";
import { type Loss, lossOf } from "./losses.ts";
import { makeOptimizer, type Optimizer } from "./optimizers.ts";

const NOTHING: BatchOutcome = { loss: NaN, right: null };

/** A learner that runs the model itself, whose variables hold the weights. */
export class EagerLearner implements Learner {
  readonly threads = 1;
  readonly #built: BuiltModel;
  readonly #settings: LearnerSettings;
  readonly #loss: Loss;
  #dataset: Dataset;
  #makeBatch: MakeBatch;
  #optimizer: Optimizer | null = null;

  /** @throws {ModelError} unknown loss */
  constructor(built: BuiltModel, settings: LearnerSettings, dataset: Dataset) {
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
    setWeights(this.#built, values);
  }

  copyWeights(into: Float32Array): void {
    copyWeights(this.#built, into);
  }

  /** @throws {ModelError} unknown optimizer or arguments */
  startTraining({ learningRate, random }: TrainingStart): void {
    this.#optimizer?.dispose();
    const { optimizer } = this.#settings;
    if (optimizer === null) throw new TypeError("Cannot train without an optimizer");
    this.#optimizer = makeOptimizer(optimizer.name, learningRate, optimizer.args);
    Math.random = random;
  }

  train(batch: Int32Array): BatchOutcome {
    const { model, isProbability } = this.#built;
    const variables = trainableVariables(this.#built);
    let outcome = NOTHING;
    tf.tidy(() => {
      const { inputs, targets } = this.#makeBatch(batch);
      let outputs: Tensor | undefined;
      const { value, grads } = tf.variableGrads(() => {
        outputs = tf.keep(model.apply(inputs, { training: true }) as Tensor);
        const mean = this.#loss.mean(outputs, targets, isProbability);
        return model.calculateLosses().reduce((sum, part) => tf.add(sum, part), mean) as Scalar;
      }, variables);
      this.#optimizer!.applyGradients(grads, variables);
      const right = countRight(outputs!.dataSync(), batch, this.#dataset);
      outputs!.dispose();
      outcome = { loss: value.dataSync()[0]!, right };
    });
    return outcome;
  }

  evaluate(batch: Int32Array): BatchOutcome {
    const { model, isProbability } = this.#built;
    let outcome = NOTHING;
    tf.tidy(() => {
      const { inputs, targets } = this.#makeBatch(batch);
      const outputs = model.apply(inputs, { training: false }) as Tensor;
      const loss = this.#loss.mean(outputs, targets, isProbability).dataSync()[0]!;
      outcome = { loss, right: countRight(outputs.dataSync(), batch, this.#dataset) };
    });
    return outcome;
  }

  dispose(): void {
    this.#optimizer?.dispose();
    this.#optimizer = null;
  }
}
