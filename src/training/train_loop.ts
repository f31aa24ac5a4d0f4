/** Local training: epochs of shuffled mini-batches until they are done or a limit is reached. */
import { ModelError } from "../core/errors.ts";
import type { TrainingMetrics } from "../core/metrics.ts";
import { seeded, shuffle } from "../core/prng.ts";
import type { Dataset } from "../data/dataset.ts";
import { collectGarbage } from "./garbage.ts";
import type { BatchOutcome, Learner } from "./learner.ts";
import type { OnProgress, TrainingSettings } from "./trainer.ts";

const PROGRESS_INTERVAL_MS = 100;

/** What surrounds the loop. */
export interface LoopContext {
  /** @param seconds of steps so far */
  readonly onProgress: (progress: Parameters<OnProgress>[0], seconds: number) => void;
  /** Called before each step; throws to end the training. */
  readonly throwIfCancelled: () => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** A step that was asked for. */
interface AskedStep {
  readonly samples: number;
  readonly outcome: BatchOutcome | Promise<BatchOutcome>;
}

/** Seeds of what is random in a training. */
export interface TrainingSeeds {
  /** Of the order of items. */
  readonly order: number;
  /** Of random layers. */
  readonly layers: number;
}

/**
 * Trains a learner's weights on the items with these indices of the dataset it uses.
 *
 * @throws {ModelError} the loss is no longer a number
 */
export async function trainItems(
  learner: Learner,
  dataset: Dataset,
  indices: Int32Array,
  settings: TrainingSettings,
  seeds: TrainingSeeds,
  { onProgress, throwIfCancelled, now }: LoopContext,
): Promise<Omit<TrainingMetrics, "test">> {
  const { batchSize, epochs, maxMiniBatches, timeLimitSeconds } = settings;
  const random = seeded(seeds.layers);
  learner.startTraining({ learningRate: settings.learningRate, random });
  const order = indices.slice();
  const prng = seeded(seeds.order);
  const batchesAnEpoch = Math.ceil(order.length / batchSize);
  const batchesTotal = Math.min(batchesAnEpoch * epochs, maxMiniBatches ?? Infinity);
  const startedMs = now();
  const endMs = timeLimitSeconds === null ? Infinity : startedMs + timeLimitSeconds * 1000;
  let reportedMs = startedMs;
  let lossSum = 0;
  let right = 0;
  let seen = 0;
  let done = 0;
  let asked = 0;
  let inFlight: AskedStep | null = null;

  const settle = async ({ samples, outcome }: AskedStep) => {
    const { loss, right: rightOnes } = await outcome;
    done += 1;
    seen += samples;
    if (!Number.isFinite(loss)) {
      throw new ModelError(
        `Cannot go on training on dataset ${dataset.name} as the ${settings.loss} loss is ` +
          `${loss} at mini-batch ${done}: try a learning rate below ${settings.learningRate}`,
      );
    }
    lossSum += loss;
    right += rightOnes ?? 0;
    if (now() - reportedMs >= PROGRESS_INTERVAL_MS) {
      reportedMs = now();
      const seconds = (reportedMs - startedMs) / 1000;
      onProgress({ batchesDone: done, batchesTotal, loss: lossSum / done }, seconds);
    }
  };

  try {
    while (asked < batchesTotal && now() < endMs) {
      const start = (asked % batchesAnEpoch) * batchSize;
      if (start === 0) shuffle(order, prng);
      throwIfCancelled();
      if (asked > 0) collectGarbage();
      const batch = order.subarray(start, start + batchSize);
      const step: AskedStep = { samples: batch.length, outcome: learner.train(batch) };
      asked += 1;
      // A device gets its next step before it has told of this one, and so never waits for us.
      const before: AskedStep | null = inFlight;
      inFlight = step;
      if (before !== null) await settle(before);
    }
    if (inFlight !== null) await settle(inFlight);
  } catch (error) {
    await Promise.resolve(inFlight?.outcome).catch(() => {});
    throw error;
  }
  const mean = done === 0 ? 0 : lossSum / done;
  const trainSeconds = (now() - startedMs) / 1000;
  onProgress({ batchesDone: done, batchesTotal, loss: done === 0 ? null : mean }, trainSeconds);
  return {
    loss: mean,
    accuracy: dataset.classes === null ? null : right / Math.max(1, seen),
    epochs: done / batchesAnEpoch,
    miniBatches: done,
    trainSeconds,
  };
}
