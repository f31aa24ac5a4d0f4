/**
 * The largest magnitude among floats, which is NaN or Inf if any of them is: the check of an update
 * and the scale of its int8 form. Magnitudes compare as integers do, NaN above Inf above all others;
 * so a vector costs two instructions, and payloads of NaN matter to no processor. No FLOP, 4 bytes
 * an element. Register tile: four vectors, whose maxima are independent.
 */
import { f32x4, i32x4, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import { forElements } from "./elements.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { range } from "./tiles.ts";

const VECTORS = 4;
const MAGNITUDE = 0x7fff_ffff;

/** Operands `from` (floats), `largest` (a float, written), and `elements`, a number of floats. */
export function largestMagnitude(module: ModuleBuilder): Kernel {
  return defineKernel(module, {
    key: "largest magnitude",
    params: ["from", "largest", "elements"],
    flops: 0,
    build(f, { from, largest, elements }) {
      const mask = f.let(i32x4.const(MAGNITUDE));
      const found = range(VECTORS).map(() => f.let(i32x4.const(0)));
      forElements(f, elements, {
        block: VECTORS * 4,
        many() {
          for (const [i, most] of found.entries()) {
            f.set(most, i32x4.max(most, v128.and(v128.load(from, i * 16), mask)));
          }
          f.bump(from, VECTORS * 16);
        },
        one() {
          f.set(found[0]!, i32x4.max(found[0]!, v128.and(v128.load32Zero(from), mask)));
          f.bump(from, 4);
        },
      });
      const all = f.let(found.reduce((a, b) => f.let(i32x4.max(a, b))));
      f.set(all, i32x4.max(all, f32x4.shuffle(all, all, 2, 3, 0, 1)));
      f.set(all, i32x4.max(all, f32x4.shuffle(all, all, 1, 0, 3, 2)));
      f.storeLane(32, largest, all, 0);
    },
  });
}
