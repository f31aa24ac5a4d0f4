/** Copies of blocks between places of different strides: parts, joins, transpositions. No FLOP. */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";
import { defineKernel, type Kernel } from "./kernel.ts";

/** Extents of a copy; strides and run count floats. */
export interface CopyShape {
  readonly sizes: readonly number[];
  readonly fromStrides: readonly number[];
  readonly toStrides: readonly number[];
  /** Neighbouring floats that are copied together. */
  readonly run: number;
}

/** Operands `from`, `to`. */
export function copy(module: ModuleBuilder, shape: CopyShape): Kernel {
  const axes = shape.sizes.map((size, i) => ({
    size,
    from: shape.fromStrides[i]!,
    to: shape.toStrides[i]!,
  })).filter(({ size }) => size !== 1);
  let { run } = shape;
  // Axes that continue the run on both sides belong to it.
  while (axes.at(-1)?.from === run && axes.at(-1)?.to === run) run *= axes.pop()!.size;
  return defineKernel(module, {
    key: `copy ${JSON.stringify([axes, run])}`,
    params: ["from", "to"],
    flops: 0,
    build(f, { from, to }) {
      nest(f, axes, from, to, run);
    },
  });
}

function nest(
  f: FunctionBuilder,
  [axis, ...inner]: readonly {
    readonly size: number;
    readonly from: number;
    readonly to: number;
  }[],
  from: Local<"i32">,
  to: Local<"i32">,
  run: number,
): void {
  if (axis === undefined) return copyRun(f, from, to, run);
  const source = f.let(from), target = f.let(to);
  f.loop(axis.size, () => {
    nest(f, inner, source, target, run);
    f.bump(source, axis.from * 4);
    f.bump(target, axis.to * 4);
  });
}

function copyRun(f: FunctionBuilder, from: Local<"i32">, to: Local<"i32">, run: number): void {
  if (run > 64) return f.memoryCopy(to, from, run * 4);
  for (let i = 0; i + 4 <= run; i += 4) f.store(to, v128.load(from, i * 4), i * 4);
  for (let i = run - run % 4; i < run; i++) f.store(to, i32.load(from, i * 4), i * 4);
}
