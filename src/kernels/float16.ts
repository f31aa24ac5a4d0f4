/**
 * Floats to IEEE half precision and back, four at a time: no FLOP counted, 6 bytes an element.
 * To half: nearest, ties to even; subnormals are kept; from 65520 on it is Inf; NaN becomes the
 * quiet NaN of its sign. From half: exact, and NaN keeps its payload.
 */
import { f32x4, i16x8, i32, i32x4, v128 } from "./emitter/instructions.ts";
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { V128 } from "./emitter/value.ts";
import { forElements } from "./elements.ts";
import { defineKernel, type Kernel } from "./kernel.ts";

/** Bits of the mantissa that a half lacks. */
const LOST = 23 - 10;
/** Difference of the two exponent biases, in place in a float. */
const REBIAS = (127 - 15) << 23;
/** The smallest normal half, 2^-14, as the bits of a float. */
const SMALLEST_NORMAL = 113 << 23;
/** 2^16, from which no half is finite, as the bits of a float. */
const TOO_LARGE = 143 << 23;
const INFINITY = 255 << 23;
const HALF_INFINITY = 0x7c00;
const HALF_NAN = 0x7e00;
/** Added to a float below 2^-14 it leaves, rounded, the bits of a subnormal half at the low end. */
const SUBNORMAL_SHIFT = 0.5;
const SUBNORMAL_SHIFT_BITS = 126 << 23;

/** Operands `from` (floats), `to` (halves, written), and `elements`, a number of both. */
export function toFloat16(module: ModuleBuilder): Kernel {
  return defineKernel(module, {
    key: "to float16",
    params: ["from", "to", "elements"],
    flops: 0,
    build(f, { from, to, elements }) {
      forElements(f, elements, {
        block: 4,
        many() {
          const halves = f.let(halvesOf(f, v128.load(from)));
          f.storeLane(64, to, i16x8.narrowI32x4U(halves, halves), 0);
          f.bump(from, 16);
          f.bump(to, 8);
        },
        one() {
          f.storeNarrow(16, to, i32x4.extractLane(halvesOf(f, v128.load32Zero(from)), 0));
          f.bump(from, 4);
          f.bump(to, 2);
        },
      });
    },
  });
}

/** Operands `from` (halves), `to` (floats, written), and `elements`, a number of both. */
export function fromFloat16(module: ModuleBuilder): Kernel {
  return defineKernel(module, {
    key: "from float16",
    params: ["from", "to", "elements"],
    flops: 0,
    build(f, { from, to, elements }) {
      forElements(f, elements, {
        block: 4,
        many() {
          f.store(to, floatsOf(f, v128.load16x4U(from)));
          f.bump(from, 8);
          f.bump(to, 16);
        },
        one() {
          f.storeLane(32, to, floatsOf(f, i32x4.splat(i32.load16U(from))), 0);
          f.bump(from, 2);
          f.bump(to, 4);
        },
      });
    },
  });
}

/** Four floats as halves, each in the low half of its lane. */
function halvesOf(f: FunctionBuilder, floats: V128): V128 {
  const bits = f.let(floats);
  const magnitude = f.let(v128.and(bits, f.integers(0x7fff_ffff)));
  const sign = i32x4.shrU(v128.xor(bits, magnitude), 16);
  // Just under half of the last place, and a bit more where it is odd: ties go to even.
  const odd = v128.and(i32x4.shrU(magnitude, LOST), f.integers(1));
  const rounding = i32x4.add(odd, i32x4.const((1 << (LOST - 1)) - 1 - REBIAS));
  const normal = i32x4.shrU(i32x4.add(magnitude, rounding), LOST);
  const shifted = f32x4.add(magnitude, f.floats(SUBNORMAL_SHIFT));
  const subnormal = i32x4.sub(shifted, f.integers(SUBNORMAL_SHIFT_BITS));
  const isNaN = i32x4.gt(magnitude, f.integers(INFINITY));
  const special = v128.bitselect(f.integers(HALF_NAN), f.integers(HALF_INFINITY), isNaN);
  const isSmall = i32x4.lt(magnitude, f.integers(SMALLEST_NORMAL));
  const isLarge = i32x4.ge(magnitude, f.integers(TOO_LARGE));
  const finite = v128.bitselect(subnormal, normal, isSmall);
  return v128.or(v128.bitselect(special, finite, isLarge), sign);
}

/** Four halves, each in the low half of its lane, as floats. */
function floatsOf(f: FunctionBuilder, halves: V128): V128 {
  const bits = f.let(halves);
  const magnitude = f.let(i32x4.shl(v128.and(bits, f.integers(0x7fff)), LOST));
  const sign = i32x4.shl(v128.and(bits, f.integers(0x8000)), 16);
  const normal = i32x4.add(magnitude, f.integers(REBIAS));
  // A subnormal is read as if it had the leading 1 of 2^-14, which is then taken away.
  const withOne = i32x4.add(magnitude, f.integers(SMALLEST_NORMAL));
  const subnormal = f32x4.sub(withOne, f.floats(2 ** -14));
  const special = v128.or(magnitude, f.integers(INFINITY));
  const isSmall = i32x4.lt(magnitude, f.integers(0x400 << LOST));
  const isSpecial = i32x4.ge(magnitude, f.integers(HALF_INFINITY << LOST));
  const finite = v128.bitselect(subnormal, normal, isSmall);
  return v128.or(v128.bitselect(special, finite, isSpecial), sign);
}
