/** What trains and evaluates a model batch by batch; its weights live there between the steps. */
import type { JsonObject } from "../core/json.ts";
import type { Device } from "../core/metrics.ts";
import type { Prng } from "../core/prng.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Mode } from "./step/program.ts";
import type { TrainingSettings } from "./trainer.ts";

/** The model's loss and how it is optimised; null for evaluation alone. */
export interface LearnerSettings {
  readonly loss: string;
  readonly optimizer: {
    readonly name: string;
    readonly args: JsonObject;
    /** Weight of FedProx's pull to the weights that training started from. @default {0} */
    readonly proximalMu?: number;
  } | null;
}

/** What a learner needs to know of a training. */
export function trainingSettings(settings: TrainingSettings): LearnerSettings {
  const { loss, optimizer, optimizerArgs, proximalMu = 0 } = settings;
  return { loss, optimizer: { name: optimizer, args: optimizerArgs, proximalMu } };
}

/** What a learner needs to know of an evaluation. */
export function evaluationSettings(loss: string): LearnerSettings {
  return { loss, optimizer: null };
}

/** Sizes of batches to come. */
export interface BatchSizes {
  readonly train: readonly number[];
  readonly evaluate: readonly number[];
}

/** The step that tells where a learner keeps what outlives its steps, with the size of its batch. */
export function firstStep(settings: LearnerSettings, batches: BatchSizes): [Mode, number] {
  const mode = settings.optimizer === null ? "evaluate" : "train";
  // What has no batch at all still has weights, which need places.
  return [mode, batches[mode][0] ?? 1];
}

/** What a learner is needed for. */
export interface LearnerNeeds {
  readonly settings: LearnerSettings;
  readonly batches: BatchSizes;
}

/** What one batch gave. */
export interface BatchOutcome {
  /** Mean loss over the batch. */
  readonly loss: number;
  /** Items classified rightly; null if the dataset has no classes. */
  readonly right: number | null;
}

/** What one training call begins with. */
export interface TrainingStart {
  readonly learningRate: number;
  /** Draws what random layers need. */
  readonly random: Prng;
}

/**
 * A model with its loss and optimizer, ready for batches of one dataset at a time. What gives a
 * promise has taken its arguments when it returns, so the next step may be asked for before that.
 */
export interface Learner {
  /** Where its steps are computed. */
  readonly device: Device;
  /** How many threads share a step; fewer for batches with less than 4 samples a thread. */
  readonly threads: number;
  /** Takes the following batches from this dataset. */
  useDataset(dataset: Dataset): void;
  /** Overwrites all weights with flat ones, in the order of the model's layout. */
  setWeights(values: Float32Array): void;
  /** Writes all weights, in the order of the model's layout. */
  copyWeights(into: Float32Array): void | Promise<void>;
  /** Forgets what the optimizer remembers of earlier steps, and trains from the weights as set. */
  startTraining(start: TrainingStart): void;
  /** One step on the items with these indices. */
  train(batch: Int32Array): BatchOutcome | Promise<BatchOutcome>;
  /** Loss and right answers on the items with these indices; nothing changes. */
  evaluate(batch: Int32Array): BatchOutcome | Promise<BatchOutcome>;
  /** Frees what it holds. */
  dispose(): void;
}
