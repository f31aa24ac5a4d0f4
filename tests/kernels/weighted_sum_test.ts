import fc from "fast-check";
import { weightedSum } from "../../src/kernels/mod.ts";
import { referenceWeightedSum } from "../../src/kernels/reference/mod.ts";
import { assertSameFloats, lengths, nasty, runElementKernel } from "./run_element_kernel.ts";

/** Adds the updates in passes of these sizes. */
function sumInPasses(
  updates: readonly Float32Array[],
  shares: readonly number[],
  sizes: readonly number[],
  skew: number,
): Float32Array {
  const elements = updates[0]!.length;
  const sums = new Float64Array(elements).fill(NaN);
  const result = new Float32Array(elements).fill(NaN);
  let first = 0;
  for (const [i, size] of sizes.entries()) {
    const shape = { updates: size, isFirst: i === 0, isLast: i === sizes.length - 1 };
    const added = updates.slice(first, first + size);
    runElementKernel(
      (module) => weightedSum(module, shape),
      {
        sums,
        result,
        shares: Float64Array.from(shares.slice(first, first + size)),
        ...Object.fromEntries(added.map((update, u) => [`update ${u}`, update])),
      },
      elements,
      skew,
    );
    first += size;
  }
  return result;
}

function check(length: number, sizes: readonly number[], skew: number): void {
  const count = sizes.reduce((sum, size) => sum + size, 0);
  const updates = Array.from({ length: count }, (_, u) => nasty(length, u));
  const shares = updates.map((_, u) => (u + 1) / 7);
  const expected = referenceWeightedSum(updates, shares);
  assertSameFloats(sumInPasses(updates, shares, sizes, skew), expected);
}

Deno.test("weightedSum() has the bits of the plain sum for any length, address and passes", () => {
  for (const length of lengths) {
    for (const sizes of [[1], [4], [1, 1], [4, 4, 3], [2, 3, 4, 1]]) {
      for (const skew of [0, 4, 1]) check(length, sizes, skew);
    }
  }
});

Deno.test("weightedSum() leaves a lone update's bytes as they are, -0 among them", () => {
  const update = Float32Array.of(-0, 0, 1e-45, -3.4028234e38, 5);
  assertSameFloats(sumInPasses([update], [1], [1], 0), update);
});

Deno.test("weightedSum() agrees with the plain sum on random updates", () => {
  const size = fc.integer({ min: 1, max: 5 });
  fc.assert(
    fc.property(fc.nat(40), fc.array(size, { minLength: 1, maxLength: 4 }), fc.nat(8), check),
    { numRuns: 60 },
  );
});
