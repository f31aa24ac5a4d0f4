/** Evaluates a learner's weights on chosen items of a dataset. */
import type { Evaluation } from "../core/metrics.ts";
import { collectGarbage } from "./garbage.ts";
import type { Learner } from "./learner.ts";

/** Larger batches are cut, as their activations would not stay in the processor's caches. */
const BATCH_LIMIT = 64;

/** The size of batch in which evaluation works. */
export function evaluationBatch(batchSize: number): number {
  return Math.min(batchSize, BATCH_LIMIT);
}

/**
 * @param indices items of the dataset that the learner uses
 * @param throwIfCancelled called before each batch; throws to end the evaluation
 * @returns null if there are no items
 */
export async function evaluateItems(
  learner: Learner,
  indices: Int32Array,
  batchSize: number,
  throwIfCancelled: () => void,
): Promise<Evaluation | null> {
  const samples = indices.length;
  if (samples === 0) return null;
  let lossSum = 0;
  let right: number | null = 0;
  const size = evaluationBatch(batchSize);
  for (let start = 0; start < samples; start += size) {
    throwIfCancelled();
    if (start > 0) collectGarbage();
    const batch = indices.subarray(start, start + size);
    const outcome = await learner.evaluate(batch);
    lossSum += outcome.loss * batch.length;
    right = outcome.right === null || right === null ? null : right + outcome.right;
  }
  return { loss: lossSum / samples, accuracy: right === null ? null : right / samples, samples };
}
