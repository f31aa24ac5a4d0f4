/**
 * Items of a batch, one after the other as they are stored, to the layout [features][batch]: bytes
 * become floats, x * factor + offset for each channel. Four bytes of four samples at a time need
 * no shuffles: the word of each sample is a lane, and a shift selects the byte.
 */
import { f32x4, i32x4, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { V128 } from "./emitter/value.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { range } from "./tiles.ts";

/** How items are stored and what becomes of their numbers. */
export interface LoadShape {
  readonly type: "u8" | "i32" | "f32";
  /** Numbers of an item. */
  readonly features: number;
  readonly samples: number;
  /** `samples` rounded up to a multiple of 4; the lanes behind get 0. */
  readonly batch: number;
  /** Floats from one feature to the next. @default batch */
  readonly batchStride?: number;
  /** Bytes from one item to the next; a multiple of 4 that leaves room for whole words. */
  readonly itemBytes: number;
  /** One number for each channel (the last axis), or one for all. */
  readonly factors: readonly number[];
  readonly offsets: readonly number[];
}

/** Operands `items` (with rows for the whole batch), `to`. */
export function loadBatch(module: ModuleBuilder, shape: LoadShape): Kernel {
  const { type, features, samples, batch, batchStride = batch, itemBytes, factors, offsets } =
    shape;
  const channels = factors.length;
  // Whole pixels and whole words: the code of a block repeats.
  const word = type === "u8" ? 4 : 1;
  const block = leastCommonMultiple(word, channels);
  return defineKernel(module, {
    key: `load batch ${JSON.stringify(shape)}`,
    params: ["items", "to"],
    flops: 2 * features * batch,
    build(f, { items, to }) {
      for (let first = 0; first < batch; first += 4) {
        f.scope(() => {
          const from = f.let(items), target = f.let(to);
          const real = Math.min(4, Math.max(0, samples - first));
          f.bump(from, first * itemBytes);
          f.bump(target, first * 4);
          const feature = (i: number, own: V128) => {
            const channel = i % channels;
            const factor = f32x4.const(factors[channel]!), offset = offsets[channel]!;
            let value = factors[channel] === 1 ? own : f32x4.mul(own, factor);
            if (offset !== 0) value = f32x4.add(value, f32x4.const(offset));
            if (real < 4) value = v128.and(value, i32x4.const(...lanesMask(real)));
            f.store(target, value);
            f.bump(target, batchStride * 4);
          };
          const words = (count: number) => {
            for (let i = 0; i < count; i += word) {
              f.scope(() => {
                let four: V128 = v128.load32Zero(from);
                for (const n of [1, 2, 3]) {
                  four = v128.load32Lane(from, four, n, n * itemBytes);
                }
                const loaded = f.let(four);
                if (type === "f32") feature(i, loaded);
                else if (type === "i32") feature(i, f32x4.convertI32x4S(loaded));
                else {
                  for (const byte of range(Math.min(4, count - i))) {
                    const low = v128.and(i32x4.shrU(loaded, byte * 8), i32x4.const(255));
                    feature(i + byte, f32x4.convertI32x4S(low));
                  }
                }
                f.bump(from, 4);
              });
            }
          };
          f.loop(Math.floor(features / block), () => words(block));
          words(features % block);
        });
      }
    },
  });
}

function lanesMask(real: number): [number, number, number, number] {
  const lane = (i: number) => i < real ? -1 : 0;
  return [lane(0), lane(1), lane(2), lane(3)];
}

function leastCommonMultiple(a: number, b: number): number {
  let multiple = a;
  while (multiple % b !== 0) multiple += a;
  return multiple;
}
