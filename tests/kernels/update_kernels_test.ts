import assert from "node:assert/strict";
import fc from "fast-check";
import { axpby, clipFactor, largestMagnitude, scale, squaredNorm } from "../../src/kernels/mod.ts";
import {
  referenceAxpby,
  referenceLargestMagnitude,
  referenceSquaredNorm,
} from "../../src/kernels/reference/mod.ts";
import { assertSameFloats, lengths, nasty, runElementKernel } from "./run_element_kernel.ts";

function normOf(from: Float32Array, skew = 0): number {
  const sum = Float64Array.of(NaN);
  runElementKernel(squaredNorm, { from, sum }, from.length, skew);
  return sum[0]!;
}

function scaled(values: Float32Array, factor: number, skew = 0): Float32Array {
  const after = values.slice();
  runElementKernel(scale, { values: after, factor: Float64Array.of(factor) }, after.length, skew);
  return after;
}

function magnitudeOf(from: Float32Array, skew = 0): number {
  const largest = Float32Array.of(-1);
  runElementKernel(largestMagnitude, { from, largest }, from.length, skew);
  return largest[0]!;
}

Deno.test("axpby() has the bits of the plain loop for any length and address", () => {
  for (const length of lengths) {
    for (const [a, b] of [[1, 1], [0.3, 0.7], [-2, 1], [1e-40, 1e30]] as const) {
      for (const skew of [0, 3]) {
        const x = nasty(length, 1), y = nasty(length, 2);
        const expected = referenceAxpby(a, x, b, y);
        runElementKernel(axpby, { x, y, factors: Float64Array.of(a, b) }, length, skew);
        assertSameFloats(y, expected);
      }
    }
  }
});

Deno.test("squaredNorm() and scale() have the bits of the plain loops", () => {
  for (const length of lengths) {
    for (const skew of [0, 5]) {
      const values = nasty(length, 3);
      assert.equal(normOf(values, skew), referenceSquaredNorm(values));
      assertSameFloats(scaled(values, 0.37, skew), values.map((value) => 0.37 * value));
    }
  }
  assert.equal(normOf(Float32Array.of(3, 4)), 25);
});

Deno.test("clipFactor() bounds the norm and leaves what is within it alone", () => {
  assert.equal(clipFactor(25, 5), 1);
  assert.equal(clipFactor(25, 2.5), 0.5);
  assert.equal(clipFactor(0, 0), 1);
  const clipped = scaled(Float32Array.of(3, 4), clipFactor(25, 2.5));
  assert.deepEqual([...clipped], [1.5, 2]);
});

Deno.test("largestMagnitude() finds it at each place", () => {
  for (const length of lengths) {
    for (const at of new Set([0, 3, 4, 15, 16, length - 1])) {
      if (at < 0 || at >= length) continue;
      const values = new Float32Array(length).fill(-0.5);
      values[at] = -2;
      assert.equal(magnitudeOf(values, at % 4), 2);
      values[at] = -Infinity;
      assert.equal(magnitudeOf(values), Infinity);
      // NaN wins over Inf wherever they stand.
      values[length - 1 - at] = NaN;
      assert.ok(Number.isNaN(magnitudeOf(values)));
    }
  }
  assert.equal(magnitudeOf(new Float32Array(0)), 0);
  assert.equal(magnitudeOf(Float32Array.of(-0, 1e-45)), Math.fround(1e-45));
});

Deno.test("largestMagnitude() sees NaN of every payload", () => {
  for (const bits of [0x7f800001, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffffffff]) {
    const values = new Float32Array(Uint32Array.of(0x3f800000, bits, 0x7f800000, 0, 0).buffer);
    assert.ok(Number.isNaN(magnitudeOf(values)), bits.toString(16));
  }
});

Deno.test("largestMagnitude() agrees with the plain loop on random floats", () => {
  const floats = fc.array(fc.float(), { maxLength: 70 });
  fc.assert(fc.property(floats, (drawn) => {
    const values = Float32Array.from(drawn);
    assert.equal(magnitudeOf(values), referenceLargestMagnitude(values));
  }));
});
