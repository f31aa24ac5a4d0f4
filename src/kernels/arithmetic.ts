/** Finds out whether this machine multiplies and adds in one rounding. */
import type { Arithmetic } from "./emitter/function_builder.ts";
import { Instance, Memory, Module, validate } from "./engine.ts";
import { f32, f32x4 } from "./emitter/instructions.ts";
import { ModuleBuilder } from "./emitter/module_builder.ts";

/**
 * "fused" if the engine knows relaxed SIMD and the processor fuses, else "portable". The test
 * value: (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24, which is lost when the product is rounded first.
 */
export function detectArithmetic(): Arithmetic {
  const module = new ModuleBuilder({ arithmetic: "fused" });
  const probe = module.function("probe", { x: "f32", y: "f32" }, (f, { x, y }) => {
    const product = f32x4.splat(x);
    return f32.abs(f32x4.extractLane(f.multiplyAdd(product, product, f32x4.splat(y)), 0));
  });
  module.export("probe", probe);
  const bytes = module.bytes();
  if (!validate(bytes)) return "portable";
  const memory = new Memory({ initial: 1 });
  const instance = new Instance(new Module(bytes), { env: { memory } });
  const run = instance.exports["probe"] as (x: number, y: number) => number;
  return run(1 + 2 ** -12, -(1 + 2 ** -11)) === 2 ** -24 ? "fused" : "portable";
}
