/**
 * Floats to 8-bit integers and back, symmetric with one scale for a tensor: `q = x / scale`, to the
 * nearest integer, ties to even, and `x = q * scale`, where scale is the largest magnitude / 127.
 * 1 FLOP, 5 bytes an element. The product is formed in doubles, in which no scale of finite floats
 * overflows or vanishes; for a tensor of zeros use any factor. NaN becomes 0.
 */
import { f32x4, f64x2, i16x8, i32, i32x4, i8x16, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import { forFloats, loadFloats, storeFloats } from "./elements.ts";
import { defineKernel, type Kernel } from "./kernel.ts";

/** The integer of the largest magnitude; -128 is not used unless the factor is too large. */
export const INT8_LARGEST = 127;

/**
 * Operands `from` (floats), `to` (bytes, written), `factor` (the double 127 / largest magnitude),
 * and `elements`, a number of floats.
 */
export function toInt8(module: ModuleBuilder): Kernel {
  return defineKernel(module, {
    key: "to int8",
    params: ["from", "to", "factor", "elements"],
    flops: 1,
    build(f, { from, to, factor, elements }) {
      const by = f.let(v128.load64Splat(factor));
      forFloats(f, elements, (count, at) => {
        const scaled = f64x2.mul(by, f64x2.promoteLow(loadFloats(count, from, at * 4)));
        const integers = f.let(i32x4.truncSatF64x2S(f64x2.nearest(scaled)));
        const words = f.let(i16x8.narrowI32x4S(integers, integers));
        const bytes = i32x4.extractLane(i8x16.narrowI16x8S(words, words), 0);
        f.storeNarrow(count === 2 ? 16 : 8, to, bytes, at);
      }, (count) => {
        f.bump(from, count * 4);
        f.bump(to, count);
      });
    },
  });
}

/** Operands `from` (bytes), `to` (floats, written), `scale` (a double), and `elements`. */
export function fromInt8(module: ModuleBuilder): Kernel {
  return defineKernel(module, {
    key: "from int8",
    params: ["from", "to", "scale", "elements"],
    flops: 1,
    build(f, { from, to, scale, elements }) {
      const by = f.let(v128.load64Splat(scale));
      forFloats(f, elements, (count, at) => {
        const bytes = count === 2 ? i32.load16U(from, at) : i32.load8U(from, at);
        const integers = i32x4.extendLowI16x8S(i16x8.extendLowI8x16S(i32x4.splat(bytes)));
        const values = f64x2.mul(by, f64x2.convertLowI32x4S(integers));
        storeFloats(f, count, to, f32x4.demoteF64x2(values), at * 4);
      }, (count) => {
        f.bump(from, count);
        f.bump(to, count * 4);
      });
    },
  });
}
