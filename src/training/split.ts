/** The client's own split of its data into what it trains on and what it tests with. */
import { allIndices, seeded, shuffle } from "../core/prng.ts";

const TRAIN_FRACTION = 0.95;

/** Indices of a dataset's items; together all of them, none twice. */
export interface Split {
  readonly train: Int32Array;
  readonly test: Int32Array;
}

/**
 * Shuffles the items and takes the first floor(0.95 count), at least 1, for training, as the
 * original does. The same count and seed always give the same split.
 */
export function splitIndices(count: number, seed: number): Split {
  const order = shuffle(allIndices(count), seeded(seed));
  const trained = Math.max(Math.min(count, 1), Math.floor(TRAIN_FRACTION * count));
  return { train: order.subarray(0, trained), test: order.subarray(trained) };
}
