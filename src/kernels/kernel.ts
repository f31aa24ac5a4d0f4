/**
 * What a kernel template gives back. A template is a function of a module and a shape that adds
 * one WebAssembly function for this shape; equal shapes share it. A kernel's parameters are byte
 * addresses in the arena, one for each operand, in the order of `params`.
 */
import type { FunctionBuilder, FunctionHandle } from "./emitter/function_builder.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";

/** A kernel in a module: call it with one byte address for each parameter. */
export interface Kernel {
  readonly func: FunctionHandle;
  /** Names of the operands whose byte addresses it takes, in order. */
  readonly params: readonly string[];
  /** Multiplications and additions of one call, counted as for the plain algorithm. */
  readonly flops: number;
  /** Bytes that the operand `scratch` must offer, 16-byte aligned; 0 if there is none. */
  readonly scratchBytes: number;
}

/** Calls a kernel with those of some operands that it takes, by name. */
export function callKernel(
  f: FunctionBuilder,
  { func, params }: Kernel,
  operands: Readonly<Record<string, Local<"i32">>>,
): void {
  f.call(func, ...params.map((name) => operands[name]!));
}

/** What a template says about its kernel. */
export interface KernelDefinition<P extends string> {
  /** Name of the template and everything of the shape that changes its code. */
  readonly key: string;
  readonly params: readonly P[];
  readonly flops: number;
  /** @default 0 */
  readonly scratchBytes?: number;
  readonly build: (f: FunctionBuilder, args: Record<P, Local<"i32">>) => void;
}

/** Adds a kernel to a module, or gives back the equal one that the module has. */
export function defineKernel<P extends string>(
  module: ModuleBuilder,
  { key, params, flops, scratchBytes = 0, build }: KernelDefinition<P>,
): Kernel {
  return module.cached(key, () => {
    const types = Object.fromEntries(params.map((name) => [name, "i32"])) as Record<P, "i32">;
    const func = module.function(key, types, build);
    return { func, params, flops, scratchBytes };
  });
}
