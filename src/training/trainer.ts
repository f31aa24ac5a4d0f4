/**
 * Local training and evaluation. The real trainer runs in a worker that may read one dataset folder
 * and nothing else; tfjs is imported only inside it.
 */
import type { JsonObject } from "../core/json.ts";
import type { Evaluation, TrainingMetrics } from "../core/metrics.ts";
import type { ModelPackage } from "../core/model_package.ts";
import type { Layout } from "../core/weights.ts";

/** A package and the arguments its model is built with. */
export interface ModelSource {
  readonly modelPackage: ModelPackage;
  /** `model_config.model_args` of the session. */
  readonly args: JsonObject;
  /** Its `model.ts`, if it has one, has no types left in it. @default {false} */
  readonly isPlain?: boolean;
}

/** A model as it was built, before any training. */
export interface InitialModel {
  /** Encoded initial weights (safetensors); the seed decides them. */
  readonly weights: Uint8Array<ArrayBuffer>;
  readonly layout: Layout;
  /** The layers topology as tfjs saves it (`modelTopology` of a `model.json`). */
  readonly topology: JsonObject;
  /** Shape of one input item, without the batch axis. */
  readonly inputShape: readonly number[];
  /** Shape of one output item, without the batch axis. */
  readonly outputShape: readonly number[];
}

/** How to train: as `TrainingOptions` of the transport, which this mirrors by structure. */
export interface TrainingSettings {
  readonly batchSize: number;
  readonly epochs: number;
  readonly learningRate: number;
  readonly loss: string;
  readonly optimizer: string;
  readonly optimizerArgs: JsonObject;
  /** Weight of FedProx's pull to the global weights. @default {0}, no pull */
  readonly proximalMu?: number;
  readonly timeLimitSeconds: number | null;
  readonly maxMiniBatches: number | null;
}

/** One call of local training. */
export interface TrainingRequest extends ModelSource {
  /** Folder with `train_dataset_config.yaml` and the data. */
  readonly datasetFolder: string;
  /** Encoded weights to start from. */
  readonly weights: Uint8Array<ArrayBuffer>;
  readonly settings: TrainingSettings;
  /** Seed of the train/test split: the same in all rounds, so that test items are never trained. */
  readonly splitSeed: number;
  /** Seed of shuffling and of random layers. */
  readonly seed: number;
  /**
   * How many times as long as here the steps shall take, slept: for trials with slow devices. The
   * sleep counts in `trainSeconds` and in a time limit, and holds up no other call.
   *
   * @default {1}
   */
  readonly slowdown?: number;
}

/** What local training gives. */
export interface TrainingResult {
  /** Encoded weights. */
  readonly weights: Uint8Array<ArrayBuffer>;
  /** Items in the train split. */
  readonly samples: number;
  readonly metrics: TrainingMetrics;
}

/** One evaluation of given weights on a whole dataset. */
export interface EvaluationRequest extends ModelSource {
  /** Folder with `dataset_config.yaml` or `train_dataset_config.yaml` and the data. */
  readonly datasetFolder: string;
  readonly weights: Uint8Array<ArrayBuffer>;
  readonly batchSize: number;
  readonly loss: string;
  /** Evaluate on the test split of this seed only; null for all items. */
  readonly splitSeed: number | null;
  /** As of a {@link TrainingRequest}. @default {1} */
  readonly slowdown?: number;
}

/** Called at most ten times a second while training, and once at the end. */
export type OnProgress = (
  progress: { batchesDone: number; batchesTotal: number; loss: number | null },
) => void;

/** Trains and evaluates; a trainer does one thing at a time and queues the rest. */
export interface Trainer {
  /**
   * Builds a model with seeded initial weights.
   *
   * @throws {ModelError} the package does not build a model: names file and reason
   */
  initialise(source: ModelSource, seed: number): Promise<InitialModel>;
  /**
   * Checks that a model fits a dataset without training it.
   *
   * @throws {ModelError} names the layer and both shapes
   * @throws {DataError} the dataset cannot be read
   */
  check(source: ModelSource, datasetFolder: string, loss: string): Promise<void>;
  /**
   * @throws {ModelError} the model cannot be built or does not fit the data
   * @throws {DataError} the dataset cannot be read
   * @throws the signal's reason, within one step of its abort
   */
  train(
    request: TrainingRequest,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<TrainingResult>;
  /** @throws as {@link Trainer.train} */
  evaluate(request: EvaluationRequest, signal: AbortSignal): Promise<Evaluation>;
  /**
   * Makes ready for training on a dataset that may be asked for soon, as far as that needs no
   * model; what is wrong with the dataset is told by the call that needs it.
   */
  prepare?(datasetFolder: string): Promise<void>;
  /** Ends the worker; calls in flight are rejected. */
  close(): void;
}
