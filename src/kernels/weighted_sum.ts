/**
 * The sum of updates times their shares: 2 FLOP and 4 bytes an element and update. The sums are
 * doubles, each product is rounded before it is added, and a sum is formed in the order of the
 * updates, so that the result has the bytes of the plain loop on every processor.
 *
 * Register tile: two vectors of sums for a block of 4 floats, and a register for each share. The
 * sums, 16 bytes to read and write for each element, are touched once for all updates of a pass:
 * with 4 updates (16 bytes of floats) the pass is as fast as memory gives them; with 8 it is
 * slower, as so many streams at once are more than the processor prefetches.
 */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32x4, f64x2, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { I32, Local } from "./emitter/value.ts";
import { forFloats, loadFloats, storeFloats } from "./elements.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { range } from "./tiles.ts";

/** One pass of a sum over many updates. */
export interface WeightedSumShape {
  /** Updates that this pass adds. */
  readonly updates: number;
  /** Whether it begins the sums, instead of going on with those in `sums`. */
  readonly isFirst: boolean;
  /** Whether it ends them: they are rounded to floats and written to `result`, not to `sums`. */
  readonly isLast: boolean;
}

/**
 * Operands `sums` (doubles), `result` (floats), `shares` (doubles, one for each update of the
 * pass), the updates (floats), and `elements`, the number of floats of an update.
 */
export function weightedSum(module: ModuleBuilder, shape: WeightedSumShape): Kernel {
  const { updates, isFirst, isLast } = shape;
  const names = range(updates).map((i): `update ${number}` => `update ${i}`);
  return defineKernel(module, {
    key: `weighted sum ${updates} ${isFirst} ${isLast}`,
    params: ["sums", "result", "shares", ...names, "elements"],
    flops: 2 * updates,
    build(f, args) {
      const { sums, result, shares, elements } = args;
      const factors = names.map((_, i) => f.let(v128.load64Splat(shares, i * 8)));
      const pointers = names.map((name) => args[name]!);
      forFloats(f, elements, (floats, at) => {
        const total = f.let(isFirst ? ZERO : loadDoubles(floats, sums, at * 8));
        for (const [i, factor] of factors.entries()) {
          const values = f64x2.promoteLow(loadFloats(floats, pointers[i]!, at * 4));
          f.set(total, f64x2.add(total, f64x2.mul(factor, values)));
        }
        if (isLast) storeFloats(f, floats, result, f32x4.demoteF64x2(total), at * 4);
        else storeDoubles(f, floats, sums, total, at * 8);
      }, (floats) => {
        for (const pointer of pointers) f.bump(pointer, floats * 4);
        if (isLast) f.bump(result, floats * 4);
        if (!(isFirst && isLast)) f.bump(sums, floats * 8);
      });
    },
  });
}

/** Not 0: -0 + x is x for every x, so that a lone update comes out with its own bytes. */
const ZERO = f64x2.const(-0);

function loadDoubles(count: 1 | 2, pointer: I32, offset: number) {
  return count === 2 ? v128.load(pointer, offset) : v128.load64Zero(pointer, offset);
}

function storeDoubles(
  f: FunctionBuilder,
  count: 1 | 2,
  pointer: I32,
  value: Local<"v128">,
  offset: number,
): void {
  if (count === 2) f.store(pointer, value, offset);
  else f.storeLane(64, pointer, value, 0, offset);
}
