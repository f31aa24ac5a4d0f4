/**
 * Items of a batch, one after the other as they are stored, to the layout [features][batch]: bytes
 * become floats, x * factor + offset for each channel. Four bytes of four samples at a time need
 * no shuffles: the word of each sample is a lane, and a shift selects the byte.
 */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32x4, i32x4, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local, V128 } from "./emitter/value.ts";
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
      const real = Math.min(samples, batch);
      f.loop(Math.floor(features / block), () => words(block));
      words(features % block);

      /** Some features of all samples, so that the lines they lie in are written at one time. */
      function words(count: number): void {
        for (let first = 0; first < count; first += word) {
          f.scope(() => {
            const from = f.let(items), target = f.let(to);
            const present = range(Math.min(word, count - first)).map((i) => first + i);
            f.loop(Math.floor(real / 4), () => vectors(from, target, present, 4));
            if (real < batch) vectors(from, target, present, real % 4);
          });
          f.bump(items, 4);
          f.bump(to, word * batchStride * 4);
        }
      }

      /** Neighbouring features of four samples, of which `real` exist. */
      function vectors(
        from: Local<"i32">,
        target: Local<"i32">,
        present: readonly number[],
        real: number,
      ): void {
        const loaded = f.let(v128.load32Zero(from));
        for (const n of [1, 2, 3]) {
          f.bump(from, itemBytes);
          f.set(loaded, v128.load32Lane(from, loaded, n));
        }
        f.bump(from, itemBytes);
        for (const [byte, feature] of present.entries()) {
          const channel = feature % channels;
          const factor = factors[channel]!, offset = offsets[channel]!;
          let value = numbersOf(f, loaded, type, byte);
          if (factor !== 1) value = f32x4.mul(value, f.floats(factor));
          if (offset !== 0) value = f32x4.add(value, f.floats(offset));
          if (real < 4) value = v128.and(value, f.integers(...lanesMask(real)));
          f.store(target, value);
          f.bump(target, batchStride * 4);
        }
        f.bump(target, 16 - present.length * batchStride * 4);
      }
    },
  });
}

/** The words of four samples as floats; of bytes the one of this number. */
function numbersOf(f: FunctionBuilder, words: V128, type: LoadShape["type"], byte: number): V128 {
  if (type === "f32") return words;
  if (type === "i32") return f32x4.convertI32x4S(words);
  return f32x4.convertI32x4S(v128.and(i32x4.shrU(words, byte * 8), f.integers(255)));
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
