/**
 * Seeded randomness. Everything random in a run derives from the session's seed by name, so that a
 * run can be repeated bit for bit.
 */

/** A source of uniform numbers in [0, 1). */
export type Prng = () => number;

/**
 * xoshiro128** (Blackman and Vigna, 2018), its state filled from a 32-bit seed by SplitMix32;
 * numbers have 32 random bits.
 */
export function seeded(seed: number): Prng {
  let mix = seed >>> 0;
  const next32 = () => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let [a, b, c, d] = [next32(), next32(), next32(), next32()];
  return function xoshiro128() {
    const scrambled = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return scrambled / 2 ** 32;
  };
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** 0, 1, ..., count - 1. */
export function allIndices(count: number): Int32Array {
  const indices = new Int32Array(count);
  for (let i = 0; i < count; i++) indices[i] = i;
  return indices;
}

/** Shuffles in place (Fisher-Yates) and returns the same array. */
export function shuffle<T extends { length: number; [index: number]: unknown }>(
  items: T,
  prng: Prng,
): T {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(prng() * (i + 1));
    // One by one: a pair at once is an array of two, as long as this has not been optimised.
    const item = items[i];
    items[i] = items[j];
    items[j] = item;
  }
  return items;
}

/** `count` different items in random order; all of them if there are fewer. */
export function sample<T>(items: readonly T[], count: number, prng: Prng): T[] {
  return shuffle([...items], prng).slice(0, count);
}
