/** How an extent is cut into tiles of nearly equal size. */

/** So many tiles of one size, one after the other. */
export interface TileRun {
  readonly size: number;
  readonly count: number;
}

/** Equal parts of an extent that lie apart. */
export interface Blocks {
  readonly count: number;
  /** Floats from one block to the next. */
  readonly stride: number;
}

/** Cuts `extent` into the fewest tiles of at most `limit`, sizes differing by one: 16 by 6 is 6, 5, 5. */
export function splitEvenly(extent: number, limit: number): TileRun[] {
  const tiles = Math.ceil(extent / limit);
  const size = Math.floor(extent / tiles);
  const larger = extent - size * tiles;
  const runs = [{ size: size + 1, count: larger }, { size, count: tiles - larger }];
  return runs.filter(({ count }) => count > 0);
}

/** 0, 1, ... n - 1. */
export function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
