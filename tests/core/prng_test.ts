import assert from "node:assert/strict";
import fc from "fast-check";
import { type Prng, sample, seeded, shuffle } from "../../src/core/prng.ts";
import { deriveSeed } from "../../src/core/derive_seed.ts";

/** The first five outputs, computed from the papers' formulas in arbitrary-precision integers. */
const REFERENCE: readonly [number, readonly number[]][] = [
  [0, [1789933344, 44971166, 2521387044, 3848737593, 1138324114]],
  [1, [393288148, 2174103013, 3814759091, 2092745082, 1865176206]],
  [42, [660444221, 3652823732, 77672526, 910233633, 2297337756]],
  [0xffff_ffff, [4104197751, 1825856343, 1152209388, 2427537429, 3685145430]],
];

/** The algorithm once more, on BigInt: slow, with no 32-bit operator to get wrong. */
function* reference(seed: number): Generator<number> {
  const mask = 0xffff_ffffn;
  const rotate = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & mask;
  let mix = BigInt(seed);
  const s = Array.from({ length: 4 }, () => {
    mix = (mix + 0x9e3779b9n) & mask;
    let z = ((mix ^ (mix >> 16n)) * 0x21f0aaadn) & mask;
    z = ((z ^ (z >> 15n)) * 0x735a2d97n) & mask;
    return z ^ (z >> 15n);
  });
  for (;;) {
    yield Number((rotate((s[1]! * 5n) & mask, 7n) * 9n) & mask) / 2 ** 32;
    const shifted = (s[1]! << 9n) & mask;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotate(s[3]!, 11n);
  }
}

function take(prng: Prng, count: number): number[] {
  return Array.from({ length: count }, () => prng());
}

Deno.test("seeded() gives the reference values of xoshiro128** filled by SplitMix32", () => {
  for (const [seed, outputs] of REFERENCE) {
    assert.deepEqual(take(seeded(seed), 5).map((value) => value * 2 ** 32), outputs);
  }
});

Deno.test("seeded() equals the algorithm on BigInt for any seed", () => {
  fc.assert(fc.property(fc.nat({ max: 0xffff_ffff }), (seed) => {
    assert.deepEqual(take(seeded(seed), 50), [...reference(seed).take(50)]);
  }));
});

Deno.test("seeded() is uniform: chi-square over 64 bins of 64,000 draws", () => {
  const bins = new Array<number>(64).fill(0);
  for (const value of take(seeded(7), 64_000)) {
    assert.ok(value >= 0 && value < 1);
    bins[Math.floor(value * 64)]!++;
  }
  const chiSquare = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  // 63 degrees of freedom: 99.9 % of uniform sources are between 32 and 104.
  assert.ok(chiSquare > 32 && chiSquare < 104, `${chiSquare}`);
});

Deno.test("deriveSeed() is the first 32 bits of SHA-256 over length-prefixed parts", () => {
  // printf 1:72:ab | sha256sum begins with 4955435d.
  assert.equal(deriveSeed(7, "ab"), 0x4955435d);
});

Deno.test("deriveSeed() keeps different parts apart", () => {
  const parts = fc.array(fc.oneof(fc.string(), fc.nat().map(String)), { maxLength: 4 });
  fc.assert(fc.property(parts, parts, (a, b) => {
    fc.pre(JSON.stringify(a) !== JSON.stringify(b));
    // Two of 2^32 may meet by chance, but not in a hundred runs.
    assert.notEqual(deriveSeed(...a), deriveSeed(...b));
  }));
  assert.notEqual(deriveSeed("ab", "c"), deriveSeed("a", "bc"));
  assert.notEqual(deriveSeed("1:a"), deriveSeed("1", "a"));
});

Deno.test("shuffle() keeps the items, in place, and repeats by seed", () => {
  fc.assert(fc.property(fc.array(fc.nat()), fc.nat(), (items, seed) => {
    const shuffled = [...items];
    assert.equal(shuffle(shuffled, seeded(seed)), shuffled);
    assert.deepEqual(shuffled.toSorted((a, b) => a - b), items.toSorted((a, b) => a - b));
    assert.deepEqual(shuffle([...items], seeded(seed)), shuffled);
  }));
});

Deno.test("shuffle() swaps from the end as Fisher and Yates do", () => {
  // i = 2: j = floor(0.5 * 3) = 1 gives a c b; i = 1: j = floor(0 * 2) = 0 gives c a b.
  const draws = [0.5, 0];
  assert.deepEqual(shuffle(["a", "b", "c"], () => draws.shift()!), ["c", "a", "b"]);
});

Deno.test("shuffle() makes all six orders of three items equally often", () => {
  const prng = seeded(3);
  const counts = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const order = shuffle([1, 2, 3], prng).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assert.equal(counts.size, 6);
  // Five standard deviations: sqrt(6000 / 6 * 5 / 6) = 29.
  for (const [order, count] of counts) {
    assert.ok(Math.abs(count - 1000) < 145, `${order}: ${count}`);
  }
});

Deno.test("sample() draws different items, all if there are fewer, and leaves the source alone", () => {
  fc.assert(fc.property(fc.uniqueArray(fc.nat()), fc.nat({ max: 20 }), fc.nat(), (...given) => {
    const [items, count, seed] = given;
    const before = [...items];
    const drawn = sample(items, count, seeded(seed));
    assert.equal(drawn.length, Math.min(count, items.length));
    assert.equal(new Set(drawn).size, drawn.length);
    assert.ok(drawn.every((item) => items.includes(item)));
    assert.deepEqual(items, before);
  }));
});
