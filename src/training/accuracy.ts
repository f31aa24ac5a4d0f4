/** Counts right answers from a batch's outputs, so that accuracy needs no pass of its own. */
import type { Dataset } from "../data/dataset.ts";

/** Where the number of a unit of an item lies: `start + item * perItem + unit * perUnit`. */
export interface Places {
  readonly start: number;
  readonly perItem: number;
  readonly perUnit: number;
}

/** The places of [batch, units]. */
export function rowPlaces(units: number): Places {
  return { start: 0, perItem: units, perUnit: 1 };
}

/**
 * Number of items classified rightly: the class with the greatest output (the first of equals), or
 * with a single output whether it exceeds 0.5. Null if the dataset has no classes.
 *
 * @param units outputs of an item
 * @param places of the outputs; [batch, units] unless given
 */
export function countRight(
  outputs: ArrayLike<number>,
  indices: Int32Array,
  { labels, classes }: Dataset,
  units = outputs.length / indices.length,
  { start, perItem, perUnit }: Places = rowPlaces(units),
): number | null {
  if (classes === null) return null;
  let right = 0;
  for (let row = 0; row < indices.length; row++) {
    const first = start + row * perItem;
    if (predictedClass(outputs, first, units, perUnit) === labels[indices[row]!]) right += 1;
  }
  return right;
}

function predictedClass(
  outputs: ArrayLike<number>,
  first: number,
  units: number,
  perUnit: number,
): number {
  if (units === 1) return outputs[first]! > 0.5 ? 1 : 0;
  let best = 0;
  for (let unit = 1; unit < units; unit++) {
    if (outputs[first + unit * perUnit]! > outputs[first + best * perUnit]!) best = unit;
  }
  return best;
}
