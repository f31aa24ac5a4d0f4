/** The sum of many updates times their shares, tile by tile in 64-bit accumulators. */
import type { RangeReader } from "./aggregator.ts";
import { SumMemory, UPDATES_A_PASS } from "./sum_memory.ts";

/**
 * Floats a tile: half a megabyte is worth the calls that open and read a file, and what is read
 * into one set of tiles is mostly still in a cache when it is added.
 */
const TILE = 128 * 1024;

/** A memory that has served and serves again, as its kernels are warm; each sum needs its own. */
let idle: SumMemory | null = null;

/** Some updates' floats of one tile, which are read and added together. */
interface Pass {
  readonly start: number;
  readonly end: number;
  /** The updates from `first` to `last`. */
  readonly first: number;
  readonly last: number;
}

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
  const memory = idle ?? new SumMemory(TILE);
  idle = null;
  const passes = passesOver(result.length, updates.length);
  let filled = fill(memory, 0, passes[0], updates, read);
  for (const [at, { start, end, first, last }] of passes.entries()) {
    await filled;
    // The next tiles are read while these are added.
    filled = fill(memory, (at + 1) % 2, passes[at + 1], updates, read);
    const isLast = last === updates.length;
    memory.add({
      set: at % 2,
      shares: shares.slice(first, last),
      floats: end - start,
      isFirst: first === 0,
      isLast,
    });
    if (isLast) result.set(memory.result(end - start), start);
  }
  // Not after an error: other reads may still write into it.
  idle = memory;
}

/** Tile by tile, and for each all updates in order. */
function passesOver(floats: number, updates: number): Pass[] {
  const passes: Pass[] = [];
  for (let start = 0; start < floats; start += TILE) {
    const end = Math.min(start + TILE, floats);
    for (let first = 0; first < updates; first += UPDATES_A_PASS) {
      passes.push({ start, end, first, last: Math.min(first + UPDATES_A_PASS, updates) });
    }
  }
  return passes;
}

/** Reads what a pass adds into a set of tiles. */
async function fill<T>(
  memory: SumMemory,
  set: number,
  pass: Pass | undefined,
  updates: readonly T[],
  read: RangeReader<T>,
): Promise<void> {
  if (pass === undefined) return;
  const { start, end, first, last } = pass;
  await Promise.all(
    updates.slice(first, last).map(async (update, i) => {
      const tile = memory.tileOf(set, i, end - start);
      const floats = await read(update, start, end, tile);
      if (floats !== tile) tile.set(floats);
    }),
  );
}
