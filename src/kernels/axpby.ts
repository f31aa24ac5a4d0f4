/**
 * `y = a * x + b * y`: 3 FLOP and 12 bytes an element; with b = 1 the axpy of BLAS, with b = 1 - a
 * a step from one model towards another. Computed in doubles and rounded once, as weighted sums
 * are. Register tile: two pairs of floats; memory, not arithmetic, bounds it.
 */
import { f32x4, f64x2, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import { forFloats, loadFloats, storeFloats } from "./elements.ts";
import { defineKernel, type Kernel } from "./kernel.ts";

/** Operands `x`, `y` (floats), `factors` (the doubles a and b), and `elements`, a number of floats. */
export function axpby(module: ModuleBuilder): Kernel {
  return defineKernel(module, {
    key: "axpby",
    params: ["x", "y", "factors", "elements"],
    flops: 3,
    build(f, { x, y, factors, elements }) {
      const a = f.let(v128.load64Splat(factors)), b = f.let(v128.load64Splat(factors, 8));
      forFloats(f, elements, (floats, at) => {
        const ax = f64x2.mul(a, f64x2.promoteLow(loadFloats(floats, x, at * 4)));
        const by = f64x2.mul(b, f64x2.promoteLow(loadFloats(floats, y, at * 4)));
        storeFloats(f, floats, y, f32x4.demoteF64x2(f64x2.add(ax, by)), at * 4);
      }, (floats) => {
        f.bump(x, floats * 4);
        f.bump(y, floats * 4);
      });
    },
  });
}
