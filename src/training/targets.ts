/** What a model shall give for items of a dataset, where that is more than a class number. */
import { type Dataset, elements } from "../data/dataset.ts";
import type { Places } from "./accuracy.ts";

/**
 * Writes targets as the outputs have them: as stored, or one-hot for classes of several outputs.
 *
 * @param into zeros, of which one-hot targets leave all but one an item
 * @param places of the targets
 */
export function fillTargets(
  { labels, classes }: Dataset,
  indices: Int32Array,
  outputShape: readonly number[],
  into: Float32Array,
  { start, perItem, perUnit }: Places,
): void {
  const size = elements(outputShape);
  const oneHot = classes !== null && size > 1;
  for (let row = 0; row < indices.length; row++) {
    const item = indices[row]!;
    const first = start + row * perItem;
    if (oneHot) into[first + labels[item]! * perUnit] = 1;
    else {
      for (let i = 0; i < size; i++) into[first + i * perUnit] = labels[item * size + i]!;
    }
  }
}
