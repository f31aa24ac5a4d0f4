/** Counts right answers from a batch's outputs, so that accuracy needs no pass of its own. */
import type { Dataset } from "../data/dataset.ts";

/**
 * Number of items classified rightly: the class with the greatest output (the first of equals), or
 * with a single output whether it exceeds 0.5. Null if the dataset has no classes.
 *
 * @param outputs [batch, units]
 */
export function countRight(
  outputs: ArrayLike<number>,
  indices: Int32Array,
  { labels, classes }: Dataset,
): number | null {
  if (classes === null) return null;
  const units = outputs.length / indices.length;
  let right = 0;
  indices.forEach((index, row) => {
    if (predictedClass(outputs, row * units, units) === labels[index]) right += 1;
  });
  return right;
}

function predictedClass(outputs: ArrayLike<number>, start: number, units: number): number {
  if (units === 1) return outputs[start]! > 0.5 ? 1 : 0;
  let best = 0;
  for (let unit = 1; unit < units; unit++) {
    if (outputs[start + unit]! > outputs[start + best]!) best = unit;
  }
  return best;
}
