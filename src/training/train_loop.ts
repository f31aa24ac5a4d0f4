/** Local training: epochs of shuffled mini-batches until they are done or a limit is reached. */
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import { ModelError } from "../core/errors.ts";
import type { TrainingMetrics } from "../core/metrics.ts";
import { seeded, shuffle } from "../core/prng.ts";
import type { Dataset } from "../data/dataset.ts";
import { countRight } from "./accuracy.ts";
import { tf } from "./backend.ts";
import { batchMaker } from "./batches.ts";
import { type BuiltModel, trainableVariables } from "./built_model.ts";
import { lossOf } from "./losses.ts";
import { makeOptimizer } from "./optimizers.ts";
import type { OnProgress, TrainingSettings } from "./trainer.ts";

const PROGRESS_INTERVAL_MS = 100;

/** What surrounds the loop. */
export interface LoopContext {
  readonly onProgress: OnProgress;
  /** Called before each step; throws to end the training. */
  readonly throwIfCancelled: () => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/**
 * Trains a model in place on the items with these indices.
 *
 * @param seed of the order of items; random layers draw from `Math.random`
 * @throws {ModelError} unknown loss or optimizer, or the loss is no longer a number
 */
export function trainItems(
  built: BuiltModel,
  dataset: Dataset,
  indices: Int32Array,
  settings: TrainingSettings,
  seed: number,
  { onProgress, throwIfCancelled, now }: LoopContext,
): Omit<TrainingMetrics, "test"> {
  const { batchSize, epochs, maxMiniBatches, timeLimitSeconds } = settings;
  const loss = lossOf(settings.loss);
  const optimizer = makeOptimizer(
    settings.optimizer,
    settings.learningRate,
    settings.optimizerArgs,
  );
  const makeBatch = batchMaker(dataset, loss.takesClasses, built.outputShape);
  const variables = trainableVariables(built);
  const order = indices.slice();
  const prng = seeded(seed);
  const batchesAnEpoch = Math.ceil(order.length / batchSize);
  const batchesTotal = Math.min(batchesAnEpoch * epochs, maxMiniBatches ?? Infinity);
  const startedMs = now();
  const endMs = timeLimitSeconds === null ? Infinity : startedMs + timeLimitSeconds * 1000;
  let reportedMs = startedMs;
  let lossSum = 0;
  let right = 0;
  let seen = 0;
  let done = 0;

  /** One step on one batch; returns its loss. */
  function step(batch: Int32Array): number {
    return tf.tidy(() => {
      const { inputs, targets } = makeBatch(batch);
      let outputs: Tensor | undefined;
      const { value, grads } = tf.variableGrads(() => {
        outputs = tf.keep(built.model.apply(inputs, { training: true }) as Tensor);
        const mean = loss.mean(outputs, targets, built.isProbability);
        return built.model.calculateLosses().reduce(
          (sum, part) => tf.add(sum, part),
          mean,
        ) as Scalar;
      }, variables);
      optimizer.applyGradients(grads, variables);
      right += countRight(outputs!.dataSync(), batch, dataset) ?? 0;
      outputs!.dispose();
      return value.dataSync()[0]!;
    });
  }

  try {
    while (done < batchesTotal && now() < endMs) {
      const start = (done % batchesAnEpoch) * batchSize;
      if (start === 0) shuffle(order, prng);
      throwIfCancelled();
      const batch = order.subarray(start, start + batchSize);
      const value = step(batch);
      done += 1;
      seen += batch.length;
      if (!Number.isFinite(value)) {
        throw new ModelError(
          `Cannot go on training on dataset ${dataset.name} as the ${settings.loss} loss is ` +
            `${value} at mini-batch ${done}: try a learning rate below ${settings.learningRate}`,
        );
      }
      lossSum += value;
      if (now() - reportedMs >= PROGRESS_INTERVAL_MS) {
        reportedMs = now();
        onProgress({ batchesDone: done, batchesTotal, loss: lossSum / done });
      }
    }
  } finally {
    optimizer.dispose();
  }
  const mean = done === 0 ? 0 : lossSum / done;
  onProgress({ batchesDone: done, batchesTotal, loss: done === 0 ? null : mean });
  return {
    loss: mean,
    accuracy: dataset.classes === null ? null : right / Math.max(1, seen),
    epochs: done / batchesAnEpoch,
    miniBatches: done,
    trainSeconds: (now() - startedMs) / 1000,
  };
}
