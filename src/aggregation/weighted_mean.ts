/** The sum of many updates times their shares, tile by tile in 64-bit accumulators. */

/** Reads floats `start` to `end` of one of the arrays that are summed. */
export type RangeReader<T> = (of: T, start: number, end: number) => Promise<Float32Array>;

/**
 * Floats a tile: the accumulators (8 bytes each) stay in the second-level cache while the updates
 * stream through, and an update stored on disk is read in pieces that are worth a call.
 */
const TILE = 16 * 1024;

/**
 * Updates that one pass adds: an accumulator is loaded and stored once for all of them, and the sum
 * is formed from left to right, so it has the same bits as one pass for each.
 */
const UPDATES_A_PASS = 4;

/**
 * Writes `sum of shares[i] * updates[i]` into `result`. Each element is added up in the order given,
 * in Float64, and rounded to Float32 once: the same bytes on every machine.
 *
 * @param shares one for each update; they sum to 1 for a mean
 */
export async function weightedMean<T>(
  updates: readonly T[],
  shares: readonly number[],
  read: RangeReader<T>,
  result: Float32Array,
): Promise<void> {
  const sums = new Float64Array(Math.min(TILE, result.length));
  for (let start = 0; start < result.length; start += TILE) {
    const end = Math.min(start + TILE, result.length);
    // Not 0: -0 + x is x for every x, so that a lone update comes out with its own bytes.
    sums.fill(-0);
    for (let first = 0; first < updates.length; first += UPDATES_A_PASS) {
      const pass = updates.slice(first, first + UPDATES_A_PASS);
      const values = await Promise.all(pass.map((update) => read(update, start, end)));
      if (values.length === UPDATES_A_PASS) addFour(sums, values, shares, first);
      else for (const [i, one] of values.entries()) addOne(sums, one, shares[first + i]!);
    }
    result.set(sums.subarray(0, end - start), start);
  }
}

function addOne(sums: Float64Array, values: Float32Array, share: number): void {
  for (let i = 0; i < values.length; i++) sums[i] = sums[i]! + share * values[i]!;
}

function addFour(
  sums: Float64Array,
  [a, b, c, d]: readonly Float32Array[],
  shares: readonly number[],
  first: number,
): void {
  const [p, q, r, s] = [shares[first]!, shares[first + 1]!, shares[first + 2]!, shares[first + 3]!];
  for (let i = 0; i < a!.length; i++) {
    sums[i] = sums[i]! + p * a![i]! + q * b![i]! + r * c![i]! + s * d![i]!;
  }
}
