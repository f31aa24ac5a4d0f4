/** The sum of many updates times their shares, tile by tile in 64-bit accumulators. */
import type { Update, UpdateReader } from "./aggregator.ts";

/**
 * Floats a tile: the accumulators (8 bytes each) stay in the second-level cache while the updates
 * stream through, and an update stored on disk is read in large pieces.
 */
const TILE = 32 * 1024;

/**
 * Writes `sum of shares[i] * updates[i]` into `result`. Each element is added up in the order given,
 * in Float64, and rounded to Float32 once: the same bytes on every machine.
 *
 * @param shares one for each update; they sum to 1 for a mean
 */
export async function weightedMean(
  updates: readonly Update[],
  shares: readonly number[],
  read: UpdateReader,
  result: Float32Array,
): Promise<void> {
  const sums = new Float64Array(Math.min(TILE, result.length));
  for (let start = 0; start < result.length; start += TILE) {
    const end = Math.min(start + TILE, result.length);
    for (const [i, update] of updates.entries()) {
      const values = await read(update, start, end);
      if (i === 0) scale(sums, values, shares[i]!);
      else addScaled(sums, values, shares[i]!);
    }
    result.set(sums.subarray(0, end - start), start);
  }
}

function scale(sums: Float64Array, values: Float32Array, share: number): void {
  for (let i = 0; i < values.length; i++) sums[i] = share * values[i]!;
}

function addScaled(sums: Float64Array, values: Float32Array, share: number): void {
  for (let i = 0; i < values.length; i++) sums[i] = sums[i]! + share * values[i]!;
}
