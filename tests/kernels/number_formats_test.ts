import assert from "node:assert/strict";
import fc from "fast-check";
import {
  fromFloat16,
  fromInt8,
  INT8_LARGEST,
  largestMagnitude,
  toFloat16,
  toInt8,
} from "../../src/kernels/mod.ts";
import {
  referenceFromFloat16,
  referenceToFloat16,
  referenceToInt8,
} from "../../src/kernels/reference/mod.ts";
import { assertSameFloats, lengths, nasty, runElementKernel } from "./run_element_kernel.ts";

function halvesOf(from: Float32Array, skew = 0): Uint16Array {
  const to = new Uint16Array(from.length);
  runElementKernel(toFloat16, { from, to }, from.length, skew);
  return to;
}

function floatsOf(from: Uint16Array, skew = 0): Float32Array {
  const to = new Float32Array(from.length);
  runElementKernel(fromFloat16, { from, to }, from.length, skew);
  return to;
}

function bytesOf(from: Float32Array, factor: number, skew = 0): Int8Array {
  const to = new Int8Array(from.length);
  runElementKernel(toInt8, { from, to, factor: Float64Array.of(factor) }, from.length, skew);
  return to;
}

const ALL_HALVES = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);

Deno.test("fromFloat16() reads every half, and toFloat16() gives it back", () => {
  const floats = floatsOf(ALL_HALVES);
  assertSameFloats(floats, Float32Array.from(ALL_HALVES, referenceFromFloat16));
  const again = halvesOf(floats);
  for (const [i, bits] of ALL_HALVES.entries()) {
    const isNaN = (bits & 0x7fff) > 0x7c00;
    assert.equal(again[i], isNaN ? (bits & 0x8000) | 0x7e00 : bits);
  }
});

Deno.test("toFloat16() rounds to the nearest half, ties to even, and to Inf from 65520 on", () => {
  const rounded: [number, number][] = [
    [1, 0x3c00],
    [-2, 0xc000],
    [0, 0],
    [-0, 0x8000],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 + 2 ** -11 + 2 ** -20, 0x3c01],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [1e38, 0x7c00],
    [-Infinity, 0xfc00],
    [NaN, 0x7e00],
    [2 ** -14, 0x0400],
    [2 ** -14 - 2 ** -26, 0x0400],
    [2 ** -24, 1],
    [2 ** -25, 0],
    [2 ** -25 + 2 ** -40, 1],
    [3 * 2 ** -25, 2],
    [-1e-45, 0x8000],
  ];
  assert.deepEqual(
    [...halvesOf(Float32Array.from(rounded, ([value]) => value))],
    rounded.map(([, bits]) => bits),
  );
});

Deno.test("toFloat16() makes the quiet NaN of its sign of every NaN", () => {
  const bits = Uint32Array.of(0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7fc00000);
  const halves = halvesOf(new Float32Array(bits.buffer));
  assert.deepEqual([...halves], [0x7e00, 0xfe00, 0x7e00, 0xfe00, 0x7e00]);
});

Deno.test("toFloat16() and fromFloat16() take any length and address", () => {
  for (const length of lengths) {
    for (const skew of [0, 1, 2]) {
      const halves = halvesOf(nasty(length, 4), skew);
      assert.deepEqual([...halves], [...nasty(length, 4)].map(referenceToFloat16));
      assertSameFloats(floatsOf(halves, skew), Float32Array.from(halves, referenceFromFloat16));
    }
  }
});

Deno.test("toFloat16() agrees with the definition on random floats", () => {
  fc.assert(fc.property(fc.array(fc.float({ noNaN: true }), { maxLength: 40 }), (drawn) => {
    const values = Float32Array.from(drawn);
    assert.deepEqual([...halvesOf(values)], [...values].map(referenceToFloat16));
  }));
});

Deno.test("toInt8() rounds ties to even, cuts what is too large, and makes 0 of NaN", () => {
  const values = Float32Array.of(0.5, 1.5, 2.5, -0.5, -1.5, 126.6, -127, 200, -200, NaN, -0, 0.49);
  assert.deepEqual(
    [...bytesOf(values, 1)],
    [0, 2, 2, 0, -2, 127, -127, 127, -128, 0, 0, 0],
  );
});

Deno.test("toInt8() and fromInt8() take any length and address", () => {
  for (const length of lengths) {
    for (const skew of [0, 1, 3]) {
      const values = nasty(length, 5).map((value) => value % 1000);
      const bytes = bytesOf(values, 0.127, skew);
      const expected = Int8Array.from(values, (value) => referenceToInt8(value, 0.127));
      assert.deepEqual(bytes, expected);
      const to = new Float32Array(length);
      runElementKernel(
        fromInt8,
        { from: bytes, to, scale: Float64Array.of(1 / 0.127) },
        length,
        skew,
      );
      assertSameFloats(to, Float32Array.from(bytes, (byte) => byte / 0.127));
    }
  }
});

Deno.test("toInt8() and fromInt8() lose at most half a step, denormals included", () => {
  const tensor = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
    minLength: 1,
    maxLength: 40,
  });
  fc.assert(fc.property(tensor, (drawn) => {
    const values = Float32Array.from(drawn);
    const largest = new Float32Array(1);
    runElementKernel(largestMagnitude, { from: values, largest }, values.length);
    const step = largest[0]! / INT8_LARGEST;
    const bytes = bytesOf(values, step === 0 ? 0 : 1 / step);
    assert.ok(bytes.every((byte) => byte >= -INT8_LARGEST));
    for (const [i, byte] of bytes.entries()) {
      assert.ok(Math.abs(byte * step - values[i]!) <= step * (0.5 + 1e-9));
    }
  }));
});
