/** The sums of a strip on the workbench: how they begin, wait for more, and become results. */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local, V128 } from "./emitter/value.ts";
import { type Epilogue, storeResult } from "./epilogue.ts";
import { sumsPlace } from "./panel_tile.ts";
import { range } from "./tiles.ts";

const START = i32.const(0);

/** Sums of a strip that are kept elsewhere. */
export interface KeptSums {
  readonly rows: number;
  readonly vectors: number;
  /** From one row of them to the next. @default one lies behind the other */
  readonly rowBytes?: number;
}

/** Lets the sums of a strip begin at zero. */
export function clearSums(
  f: FunctionBuilder,
  module: ModuleBuilder,
  { rows, vectors }: KeptSums,
): void {
  const place = sumsPlace(module);
  const name = `clear ${rows * vectors} sums at ${place}`;
  f.call(module.cached(name, () =>
    module.function(name, {}, (f) => {
      for (const i of range(rows * vectors)) f.store(START, f.floats(0), place + i * 16);
    })));
}

/** Lets the sums of a strip go on as those that were kept. */
export function takeSums(
  f: FunctionBuilder,
  module: ModuleBuilder,
  kept: KeptSums,
  from: Local<"i32">,
): void {
  moveSums(f, module, "take", kept, from, (f, from, at, place) => {
    f.store(START, v128.load(from, at), place);
  });
}

/** Keeps the sums of a strip elsewhere. */
export function keepSums(
  f: FunctionBuilder,
  module: ModuleBuilder,
  kept: KeptSums,
  to: Local<"i32">,
): void {
  moveSums(f, module, "keep", kept, to, (f, to, at, place) => {
    f.store(to, v128.load(START, place), at);
  });
}

/** Calls a function that moves each vector of sums between where they are kept and their place. */
function moveSums(
  f: FunctionBuilder,
  module: ModuleBuilder,
  verb: string,
  { rows, vectors, rowBytes = vectors * 16 }: KeptSums,
  pointer: Local<"i32">,
  move: (f: FunctionBuilder, pointer: Local<"i32">, at: number, place: number) => void,
): void {
  const place = sumsPlace(module);
  const name = `${verb} ${[rows, vectors, rowBytes]} at ${place}`;
  const func = module.cached(
    name,
    () =>
      module.function(name, { pointer: "i32" }, (f, { pointer }) => {
        for (const r of range(rows)) {
          for (const v of range(vectors)) {
            move(f, pointer, r * rowBytes + v * 16, place + (r * vectors + v) * 16);
          }
        }
      }),
  );
  f.call(func, pointer);
}

/** Where the results of a strip go and what they meet there. */
export interface StripTargets {
  readonly c: Local<"i32">;
  readonly mask?: Local<"i32"> | undefined;
  readonly bias?: Local<"i32"> | undefined;
}

/** The same places in locals of their own. */
export function copyTargets(f: FunctionBuilder, { c, mask, bias }: StripTargets): StripTargets {
  return { c: f.let(c), mask: mask && f.let(mask), bias: bias && f.let(bias) };
}

/** How the results of a strip are stored. */
export interface StripStore {
  readonly rows: number;
  readonly vectors: number;
  /** Columns of the last vector that exist. */
  readonly lastLanes: number;
  /** Floats from one row of results to the next. */
  readonly cRow: number;
  readonly epilogue: Epilogue;
  /** The factor when it is an operand. */
  readonly scale: V128 | undefined;
}

/**
 * Stores the results of a strip and moves its targets on to the next.
 *
 * @param kept where the sums were kept @default the workbench
 */
export function storeStrip(
  f: FunctionBuilder,
  module: ModuleBuilder,
  to: StripTargets,
  { rows, vectors, lastLanes, cRow, epilogue, scale }: StripStore,
  kept?: Local<"i32">,
): void {
  const isRowBias = to.bias !== undefined && epilogue.bias === "row";
  for (const r of range(rows)) {
    const rowBias = isRowBias ? f.let(v128.load32Splat(to.bias!, r * 4)) : undefined;
    for (const v of range(vectors)) {
      const at = (r * vectors + v) * 16;
      const sum = kept === undefined
        ? v128.load(START, sumsPlace(module) + at)
        : v128.load(kept, at);
      storeResult(f, epilogue, sum, {
        ...{ c: to.c, mask: to.mask, scale },
        bias: rowBias ?? (to.bias && v128.load(to.bias, v * 16)),
        offset: r * cRow * 4 + v * 16,
        lanes: v === vectors - 1 ? lastLanes : 4,
      });
    }
  }
  f.bump(to.c, rows * cRow * 4);
  if (to.mask !== undefined) f.bump(to.mask, rows * cRow * 4);
  if (isRowBias) f.bump(to.bias!, rows * 4);
}
