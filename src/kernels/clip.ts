/**
 * Clipping of an update to an L2 norm in two kernels: the squared norm (2 FLOP, 4 bytes an element)
 * and, where it is too large, a scaling (1 FLOP, 8 bytes). The norm is summed in doubles, in which
 * no square of a float overflows; its two vectors of sums are independent, so that an addition
 * need not wait for the one before.
 */
import { f32x4, f64x2, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import { forFloats, loadFloats, storeFloats } from "./elements.ts";
import { defineKernel, type Kernel } from "./kernel.ts";

/** Operands `from` (floats), `sum` (a double, written), and `elements`, a number of floats. */
export function squaredNorm(module: ModuleBuilder): Kernel {
  return defineKernel(module, {
    key: "squared norm",
    params: ["from", "sum", "elements"],
    flops: 2,
    build(f, { from, sum, elements }) {
      const sums = [f.let(f64x2.const(0)), f.let(f64x2.const(0))] as const;
      forFloats(f, elements, (floats, at) => {
        const values = f.let(f64x2.promoteLow(loadFloats(floats, from, at * 4)));
        const total = sums[at === 0 ? 0 : 1];
        f.set(total, f64x2.add(total, f64x2.mul(values, values)));
      }, (floats) => f.bump(from, floats * 4));
      const both = f.let(f64x2.add(sums[0], sums[1]));
      const swapped = f32x4.shuffle(both, both, 2, 3, 0, 1);
      f.storeLane(64, sum, f64x2.add(both, swapped), 0);
    },
  });
}

/** Operands `values` (floats, changed), `factor` (a double), and `elements`, a number of floats. */
export function scale(module: ModuleBuilder): Kernel {
  return defineKernel(module, {
    key: "scale",
    params: ["values", "factor", "elements"],
    flops: 1,
    build(f, { values, factor, elements }) {
      const by = f.let(v128.load64Splat(factor));
      forFloats(f, elements, (floats, at) => {
        const scaled = f64x2.mul(by, f64x2.promoteLow(loadFloats(floats, values, at * 4)));
        storeFloats(f, floats, values, f32x4.demoteF64x2(scaled), at * 4);
      }, (floats) => f.bump(values, floats * 4));
    },
  });
}

/** What an update must be scaled by so that its L2 norm is at most `norm`; 1 if it is already. */
export function clipFactor(squaredNorm: number, norm: number): number {
  const actual = Math.sqrt(squaredNorm);
  return actual > norm ? norm / actual : 1;
}
