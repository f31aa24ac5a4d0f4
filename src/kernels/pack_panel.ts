/** Copies of what a product reads again and again, so that it lies close together. */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32x4, v128 } from "./emitter/instructions.ts";
import type { Local, V128 } from "./emitter/value.ts";
import { range } from "./tiles.ts";

/**
 * Copies `k` pieces of some vectors, `bDepth` floats apart, one behind the other, times `scale`.
 *
 * @param to ends behind the last
 */
export function packPanel(
  f: FunctionBuilder,
  panel: Local<"i32">,
  to: Local<"i32">,
  k: number,
  bDepth: number,
  vectors: number,
  scale: V128 | undefined,
): void {
  const from = f.let(panel);
  f.unrolledLoop(k, 4, () => {
    for (const v of range(vectors)) {
      const own = v128.load(from, v * 16);
      f.store(to, scale === undefined ? own : f32x4.mul(own, scale), v * 16);
    }
    f.bump(from, bDepth * 4);
    f.bump(to, vectors * 16);
  });
}
