/**
 * Sums, and greatest and least numbers, over some axes. Results of a batch are vectors of samples;
 * a sum over the batch adds the lanes of its vectors at the end.
 */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32, f32x4, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { F32, Local } from "./emitter/value.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { type Blocks, range } from "./tiles.ts";

export interface ReduceShape {
  readonly take: "sum" | "max" | "min";
  /** Sizes of the axes without the batch. */
  readonly sizes: readonly number[];
  /** Which of them are reduced. */
  readonly reduced: readonly boolean[];
  /** A multiple of 4, or null for numbers without batch. */
  readonly batch: number | null;
  /** Floats from one number's run of samples to the next. @default batch */
  readonly batchStride?: number;
  /** Blocks that the batch lies in, for a sum over it. @default one */
  readonly blocks?: Blocks;
  /** Sums over the batch too. */
  readonly overBatch: boolean;
}

interface Axis {
  size: number;
  readonly reduced: boolean;
}

const START = { sum: 0, max: -Infinity, min: Infinity };
/** Floats that make whole vectors, the most first. */
const VECTOR_RUNS = [32, 16, 8, 4];
/** Vectors of sums held in registers at once. */
const WIDE = 8;

/**
 * Operands `from`, `to`. Throws RangeError for an extreme over the batch, and for a batch that is no
 * multiple of 4.
 */
export function reduce(module: ModuleBuilder, shape: ReduceShape): Kernel {
  const { take, sizes, reduced, batch, overBatch } = shape;
  const { count: blockCount, stride: blockStride } = shape.blocks ?? { count: 1, stride: 0 };
  const blockLanes = (batch ?? 1) / blockCount;
  const batchStride = shape.batchStride ?? blockLanes;
  const blocks = shape.blocks === undefined ? [] : [shape.blocks];
  if (batch !== null && batch % 4 !== 0) {
    throw new RangeError(`Cannot reduce a batch of ${batch}: pad it to a multiple of 4`);
  }
  if (batch !== null && overBatch && take !== "sum") {
    throw new RangeError(`Cannot take the "${take}" over the batch as only "sum" is possible`);
  }
  const axes: Axis[] = [];
  sizes.forEach((size, i) => {
    if (size === 1) return;
    if (axes.at(-1)?.reduced === reduced[i]) axes.at(-1)!.size *= size;
    else axes.push({ size, reduced: reduced[i]! });
  });
  const last = axes.at(-1);
  const lanes = VECTOR_RUNS.find((run) => last !== undefined && last.size % run === 0);
  if (batch === null && last !== undefined && lanes !== undefined) {
    // The end of the last axis does as a batch: its sums are vectors.
    if (!last.reduced || take === "sum") {
      return reduce(module, {
        take,
        sizes: [...axes.slice(0, -1), { size: last.size / lanes }].map(({ size }) => size),
        reduced: axes.map(({ reduced }) => reduced),
        ...{ batch: lanes, overBatch: last.reduced },
      });
    }
  }
  const count = sizes.reduce((product, size) => product * size, batch ?? 1);
  return defineKernel(module, {
    key: `reduce ${JSON.stringify([take, axes, batch, batchStride, overBatch, ...blocks])}`,
    params: ["from", "to"],
    flops: count,
    build(f, { from, to }) {
      const unit = batchStride * 4;
      const strides = axes.map((_, i) =>
        axes.slice(i + 1).reduce((product, { size }) => product * size, unit)
      );
      const result = f.let(to);
      const kept = (i: number, at: Local<"i32">) => {
        if (i === axes.length) return element(at);
        if (axes[i]!.reduced) return kept(i + 1, at);
        const own = f.let(at);
        f.loop(axes[i]!.size, () => {
          kept(i + 1, own);
          f.bump(own, strides[i]!);
        });
      };
      /** Runs `body` with a pointer to each number that is reduced. */
      const each = (i: number, at: Local<"i32">, body: (at: Local<"i32">) => void): void => {
        if (i === axes.length) return body(at);
        if (!axes[i]!.reduced) return each(i + 1, at, body);
        const own = f.let(at);
        f.loop(axes[i]!.size, () => {
          each(i + 1, own, body);
          f.bump(own, strides[i]!);
        });
      };
      const element = (at: Local<"i32">) => {
        if (batch === null) {
          const total = f.let(f32.const(START[take]));
          each(0, at, (from) => f.set(total, combine1(take, total, f32.load(from))));
          f.store(result, total);
          f.bump(result, 4);
        } else if (overBatch) {
          const parts = Math.min(4, batch / 4);
          const totals = range(parts).map(() => f.let(f32x4.const(0)));
          each(0, at, (from) => {
            for (const v of range(batch / 4)) {
              const total = totals[v % parts]!;
              const block = Math.floor(v * 4 / blockLanes);
              const offset = block * blockStride + v * 4 - block * blockLanes;
              f.set(total, f32x4.add(total, v128.load(from, offset * 4)));
            }
          });
          const sum = totals.slice(1).reduce((a, b) => f.let(f32x4.add(a, b)), totals[0]!);
          f.store(result, laneSum(f, sum));
          f.bump(result, 4);
        } else {
          for (let first = 0; first < batch / 4; first += WIDE) {
            f.scope(() => {
              const vectors = range(Math.min(WIDE, batch / 4 - first));
              const totals = vectors.map(() => f.let(f32x4.const(START[take])));
              each(0, at, (from) => {
                for (const v of vectors) {
                  const number = v128.load(from, (first + v) * 16);
                  f.set(totals[v]!, combine4(take, totals[v]!, number));
                }
              });
              for (const v of vectors) f.store(result, totals[v]!, (first + v) * 16);
            });
          }
          f.bump(result, unit);
        }
      };
      kept(0, from);
    },
  });
}

function combine1(take: ReduceShape["take"], a: F32, b: F32): F32 {
  return take === "sum" ? f32.add(a, b) : f32[take](a, b);
}

function combine4(take: ReduceShape["take"], a: Local<"v128">, b: ReturnType<typeof v128.load>) {
  if (take === "sum") return f32x4.add(a, b);
  return take === "max" ? f32x4.max(a, b) : f32x4.min(a, b);
}

function laneSum(f: FunctionBuilder, sum: Local<"v128">): F32 {
  const pairs = f.let(f32x4.add(sum, f32x4.shuffle(sum, sum, 2, 3, 0, 1)));
  return f32.add(f32x4.extractLane(pairs, 0), f32x4.extractLane(pairs, 1));
}
