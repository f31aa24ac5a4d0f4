/**
 * How a batch lies in memory when threads share it: in blocks of equal size, one for each thread,
 * [block][...dims][samples of the block]. What a thread works on is dense, nobody else writes there,
 * and any kernel can compute a block as if it were a batch. A plan of one thread has one block.
 */
import type { Places } from "../accuracy.ts";

/** Samples in a vector. */
export const LANES = 4;

/** Samples in memory for a batch: rounded up to whole vectors. */
export function lanesFor(samples: number): number {
  return Math.ceil(samples / LANES) * LANES;
}

/**
 * Blocks begin at multiples of this: a core that writes a line of 64 bytes takes it from others, and
 * processors fetch lines in pairs.
 */
export const PAIR_BYTES = 128;

/** Blocks for so many threads: one, unless they have equally many vectors of samples to compute. */
export function blocksFor(lanes: number, threads: number): number {
  return lanes / LANES % threads === 0 ? threads : 1;
}

/** Bytes from one block of a batched value to the next. */
export function blockBytes(numbers: number, lanes: number, blocks: number): number {
  const bytes = numbers * lanes / blocks * 4;
  return blocks === 1 ? bytes : Math.ceil(bytes / PAIR_BYTES) * PAIR_BYTES;
}

/** Samples that lie together, and where their numbers are, counted in floats. */
export interface BlockPlaces extends Places {
  /** The first sample. */
  readonly first: number;
  readonly count: number;
}

/**
 * The blocks of a batched value.
 *
 * @param address of the value, in bytes
 * @param numbers of each sample
 */
export function blockPlaces(
  address: number,
  numbers: number,
  lanes: number,
  blocks: number,
): BlockPlaces[] {
  const count = lanes / blocks;
  return Array.from({ length: blocks }, (_, block) => ({
    first: block * count,
    count,
    start: (address + block * blockBytes(numbers, lanes, blocks)) / 4,
    perItem: 1,
    perUnit: count,
  }));
}
