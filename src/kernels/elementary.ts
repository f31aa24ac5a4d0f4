/**
 * Exponential function, logarithm and their kin for four floats at once: polynomials after the
 * Cephes library (S. Moshier), within 2 units in the last place over the usual range.
 */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32x4, i32x4, v128 } from "./emitter/instructions.ts";
import type { V128 } from "./emitter/value.ts";

const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.12194440e-4;

/** Coefficients from the highest power down. */
function polynomial(f: FunctionBuilder, x: V128, coefficients: readonly number[]): V128 {
  const [first = 0, ...rest] = coefficients;
  let sum: V128 = f.floats(first);
  for (const coefficient of rest) {
    sum = f.let(f.multiplyAdd(sum, x, f.floats(coefficient)));
  }
  return sum;
}

/** e to the power x; 0 below -103.9, infinite above 88.7. */
export function exp(f: FunctionBuilder, value: V128): V128 {
  const given = f.let(value);
  const x = f.let(f32x4.pmin(f32x4.pmax(given, f.floats(-104)), f.floats(88.73)));
  const n = f.let(f32x4.nearest(f32x4.mul(x, f.floats(Math.LOG2E))));
  const high = f32x4.sub(x, f32x4.mul(n, f.floats(LN2_HIGH)));
  const r = f.let(f32x4.sub(high, f32x4.mul(n, f.floats(LN2_LOW))));
  const p = polynomial(f, r, [
    1.9875691500e-4,
    1.3981999507e-3,
    8.3334519073e-3,
    4.1665795894e-2,
    1.6666665459e-1,
    5.0000001201e-1,
  ]);
  const square = f32x4.mul(r, r);
  const whole = f32x4.add(f.multiplyAdd(p, square, r), f.floats(1));
  // Two powers of two, as 2^128 and what is below 2^-126 are no floats of their own.
  const exponent = f.let(i32x4.truncSatF32x4S(n));
  const half = f.let(i32x4.shrS(exponent, 1));
  const rest = i32x4.sub(exponent, half);
  return f32x4.mul(f32x4.mul(whole, powerOfTwo(f, half)), powerOfTwo(f, rest));
}

/** 2 to the power of integers between -126 and 127. */
function powerOfTwo(f: FunctionBuilder, exponent: V128): V128 {
  return i32x4.shl(i32x4.add(exponent, f.integers(127)), 23);
}

/** Natural logarithm; minus infinity at 0, NaN below. */
export function log(f: FunctionBuilder, value: V128): V128 {
  const given = f.let(value);
  // What has fewer digits than a normal number gets them all by a factor of 2^23.
  const tiny = f.let(f32x4.lt(given, f.floats(2 ** -126)));
  const normal = v128.bitselect(f32x4.mul(given, f.floats(2 ** 23)), given, tiny);
  // The mantissa between sqrt(1/2) and sqrt(2), and the exponent that goes with it.
  const bits = f.let(i32x4.sub(normal, f.integers(0x3f3504f3)));
  const exponent = i32x4.sub(i32x4.shrS(bits, 23), v128.and(tiny, f.integers(23)));
  const e = f.let(f32x4.convertI32x4S(exponent));
  const mantissa = i32x4.add(v128.and(bits, f.integers(0x007fffff)), f.integers(0x3f3504f3));
  const x = f.let(f32x4.sub(mantissa, f.floats(1)));
  const p = polynomial(f, x, [
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
  ]);
  const square = f.let(f32x4.mul(x, x));
  let y: V128 = f32x4.mul(f32x4.mul(p, x), square);
  y = f32x4.add(y, f32x4.mul(e, f.floats(LN2_LOW)));
  y = f32x4.sub(y, f32x4.mul(square, f.floats(0.5)));
  const result = f32x4.add(f32x4.add(x, y), f32x4.mul(e, f.floats(LN2_HIGH)));
  const infinity = f.floats(Infinity);
  const upper = v128.bitselect(infinity, result, f32x4.eq(given, infinity));
  const positive = v128.bitselect(upper, f.floats(NaN), f32x4.gt(given, f32x4.const(0)));
  return v128.bitselect(f.floats(-Infinity), positive, f32x4.eq(given, f32x4.const(0)));
}

/**
 * x to the power y; the error grows with |y log x|, to a hundred-thousandth at 80. A number below 0
 * has powers for whole y only.
 */
export function pow(f: FunctionBuilder, base: V128, power: V128): V128 {
  const x = f.let(base), y = f.let(power);
  const zero = f32x4.const(0), one = f.floats(1);
  const size = f.let(exp(f, f32x4.mul(y, log(f, f32x4.abs(x)))));
  const half = f.let(f32x4.mul(y, f.floats(0.5)));
  const isOdd = f32x4.ne(f32x4.floor(half), half);
  const signed = v128.xor(size, v128.and(isOdd, f.integers(-0x80000000)));
  const isWhole = f32x4.eq(f32x4.floor(y), y);
  const below = v128.bitselect(signed, f.floats(NaN), isWhole);
  const result = v128.bitselect(below, size, f32x4.lt(x, zero));
  return v128.bitselect(one, result, f32x4.eq(y, zero));
}

/** x to a whole power by multiplications. */
export function wholePower(f: FunctionBuilder, base: V128, power: number): V128 {
  const one = f.floats(1);
  let result: V128 | undefined;
  let square = f.let(base);
  for (let left = Math.abs(power); left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) {
      result = result === undefined ? square : f.let(f32x4.mul(result, square));
    }
    if (left > 1) square = f.let(f32x4.mul(square, square));
  }
  if (result === undefined) return one;
  return power < 0 ? f32x4.div(one, result) : result;
}

/** 1 / (1 + exp(-x)). */
export function sigmoid(f: FunctionBuilder, x: V128): V128 {
  const one = f.floats(1);
  return f32x4.div(one, f32x4.add(one, exp(f, f32x4.neg(x))));
}

/** Hyperbolic tangent: a polynomial near 0, where the other formula loses digits. */
export function tanh(f: FunctionBuilder, value: V128): V128 {
  const x = f.let(value);
  const size = f.let(f32x4.abs(x));
  const square = f.let(f32x4.mul(x, x));
  const p = polynomial(f, square, [
    -5.70498872745e-3,
    2.06390887954e-2,
    -5.37397155531e-2,
    1.33314422036e-1,
    -3.33332819422e-1,
  ]);
  const near = f.let(f.multiplyAdd(f32x4.mul(p, square), x, x));
  const one = f.floats(1);
  const power = f.let(exp(f, f32x4.add(size, size)));
  const far = f32x4.sub(one, f32x4.div(f.floats(2), f32x4.add(power, one)));
  const sign = v128.and(x, f.integers(-0x80000000));
  const signed = v128.or(far, sign);
  return v128.bitselect(near, signed, f32x4.lt(size, f.floats(0.625)));
}
