/** Draws with unequal probabilities. */
import type { Prng } from "../core/prng.ts";

/**
 * The place of one weight, drawn with a probability in proportion to it; all alike if no weight is
 * above 0.
 *
 * @param weights at least one, none below 0
 */
export function drawIndex(weights: readonly number[], prng: Prng): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0)) return Math.floor(prng() * weights.length);
  let left = prng() * total;
  let last = 0;
  for (const [i, weight] of weights.entries()) {
    if (weight <= 0) continue;
    last = i;
    left -= weight;
    if (left < 0) break;
  }
  return last;
}

/** `count` different items, drawn one after another in proportion to the weights of those left. */
export function drawWithout<T>(
  items: readonly T[],
  weights: readonly number[],
  count: number,
  prng: Prng,
): T[] {
  const left = items.map((item, i) => ({ item, weight: weights[i]! }));
  const drawn: T[] = [];
  while (drawn.length < count && left.length > 0) {
    const at = drawIndex(left.map(({ weight }) => weight), prng);
    drawn.push(...left.splice(at, 1).map(({ item }) => item));
  }
  return drawn;
}
