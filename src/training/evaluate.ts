/** Evaluates a learner's weights on chosen items of a dataset. */
import type { Evaluation } from "../core/metrics.ts";
import type { Dataset } from "../data/dataset.ts";
import { collectGarbage } from "./garbage.ts";
import type { Learner } from "./learner.ts";

/**
 * Larger batches are cut, as their activations would not stay in the processor's caches. Those of
 * images are large; in other models the weights are, of which each batch reads all.
 */
const IMAGES_LIMIT = 16, OTHERS_LIMIT = 64;

/** The size of batch in which evaluation works. */
export function evaluationBatch(batchSize: number, { shape }: Pick<Dataset, "shape">): number {
  return Math.min(batchSize, shape.length === 3 ? IMAGES_LIMIT : OTHERS_LIMIT);
}

/**
 * @param indices items of the dataset that the learner uses
 * @param size of a batch
 * @param throwIfCancelled called before each batch; throws to end the evaluation
 * @returns null if there are no items
 */
export async function evaluateItems(
  learner: Learner,
  indices: Int32Array,
  size: number,
  throwIfCancelled: () => void,
): Promise<Evaluation | null> {
  const samples = indices.length;
  if (samples === 0) return null;
  let lossSum = 0;
  let right: number | null = 0;
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
