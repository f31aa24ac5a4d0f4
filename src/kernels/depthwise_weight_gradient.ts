/**
 * Gradient of a convolution of each channel by itself for its weights: 2 FLOP for each pair that
 * exists. A row of outputs meets one row of inputs at a time: the lines of the cache that two pixels
 * and their taps touch often share one set, which holds eight. Sums over samples are vectors, in two
 * parts as a multiply-add waits for the one before; they wait in scratch between rows.
 */
import { conv2dAxes } from "./conv2d_shape.ts";
import { forwardTaps, type TapRun } from "./conv_taps.ts";
import { type DepthwiseShape, multiplierOf } from "./depthwise.ts";
import type { FunctionBuilder, FunctionHandle } from "./emitter/function_builder.ts";
import { f32x4, i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import {
  storeLaneSums,
  type SumEpilogue,
  sumEpilogueKey,
  sumEpilogueOperands,
} from "./lane_sums.ts";
import { range } from "./tiles.ts";

/** Operands `x`, `dy`, `dw`, then `scale` if it is an operand, then `scratch`. */
export function depthwiseWeightGradient(
  module: ModuleBuilder,
  shape: DepthwiseShape,
  epilogue: SumEpilogue = {},
): Kernel {
  const { batch, inputChannels, outputChannels, kernelHeight, kernelWidth } = shape;
  const axes = conv2dAxes(shape);
  const rows = forwardTaps(axes.rows), columns = forwardTaps(axes.columns);
  const multiplier = multiplierOf(shape);
  const lanes = batch * 4;
  const xPixel = inputChannels * lanes, dyPixel = outputChannels * lanes;
  const xRow = axes.columns.input * xPixel, dyRow = axes.columns.output * dyPixel;
  const weights = kernelHeight * kernelWidth * outputChannels;
  const key = `depthwise weight gradient ${JSON.stringify(shape)} ${sumEpilogueKey(epilogue)}`;
  const dense = axes.columns.stride === 1 && axes.columns.dilation === 1;
  /** Parts of each sum, as far as there are registers. */
  const parts = kernelWidth <= 5 ? 2 : 1;
  return defineKernel(module, {
    key,
    params: ["x", "dy", "dw", ...sumEpilogueOperands(epilogue), "scratch"],
    flops: 2 * batch * outputChannels * rows.pairs * columns.pairs,
    scratchBytes: weights * 16,
    build(f, args) {
      f.memoryFill(args.scratch, 0, weights * 16);
      for (const run of rows.runs) {
        const x = f.let(i32.add(args.x, run.source * xRow));
        const dy = f.let(i32.add(args.dy, run.first * dyRow));
        f.loop(run.count, () => {
          for (const tap of range(run.taps)) {
            const sums = (run.tap + tap) * kernelWidth * outputChannels * 16;
            const from = tap * rows.tapSourceStep * xRow;
            f.call(rowFunction(), i32.add(x, from), dy, i32.add(args.scratch, sums));
          }
          f.bump(x, rows.sourceStep * xRow);
          f.bump(dy, dyRow);
        });
      }
      storeLaneSums(f, args, { rows: 1, length: weights, stride: weights }, epilogue);
    },
  });

  /** Adds what one row of outputs and one row of inputs give to the sums of a row of taps. */
  function rowFunction(): FunctionHandle {
    const name = `row: ${key}`;
    const parameters = { x: "i32", dy: "i32", sums: "i32" } as const;
    return module.cached(name, () =>
      module.function(name, parameters, (f, args) => {
        f.loop(inputChannels, () => {
          f.loop(multiplier, () => {
            const place = (tap: number) => tap * outputChannels * 16;
            const sums = range(kernelWidth).map((tap) =>
              range(parts).map((part) =>
                f.let(part === 0 ? v128.load(args.sums, place(tap)) : f32x4.const(0))
              )
            );
            for (const run of columns.runs) if (run.taps > 0) sumRun(f, run, sums, args);
            for (const [tap, [first, second]] of sums.entries()) {
              const whole = second === undefined ? first! : f32x4.add(first!, second);
              f.store(args.sums, whole, place(tap));
            }
            f.bump(args.dy, lanes);
            f.bump(args.sums, 16);
          });
          f.bump(args.x, lanes);
        });
      }));
  }

  /** The pixels of one run, two at a time where they share inputs. */
  function sumRun(
    f: FunctionBuilder,
    run: TapRun,
    sums: readonly (readonly Local<"v128">[])[],
    args: Record<"x" | "dy", Local<"i32">>,
  ): void {
    const x = f.let(i32.add(args.x, run.source * xPixel));
    const dy = f.let(i32.add(args.dy, run.first * dyPixel));
    const vector = (pixels: number, part: number) => {
      const gradients = range(pixels).map((p) => f.let(v128.load(dy, p * dyPixel)));
      for (const i of range(run.taps + pixels - 1)) {
        f.scope(() => {
          const value = f.let(v128.load(x, i * columns.tapSourceStep * xPixel));
          for (const [p, gradient] of gradients.entries()) {
            const sum = sums[run.tap + i - p];
            if (i >= p && i - p < run.taps) f.accumulate(sum![part]!, gradient, value);
          }
        });
      }
      f.bump(x, 16);
      f.bump(dy, 16);
    };
    const group = (pixels: number) => {
      f.loop(Math.floor(batch / 4 / parts), () => {
        for (const part of range(parts)) f.scope(() => vector(pixels, part));
      });
      for (const part of range(batch / 4 % parts)) f.scope(() => vector(pixels, part));
      f.bump(x, pixels * columns.sourceStep * xPixel - lanes);
      f.bump(dy, pixels * dyPixel - lanes);
    };
    const together = dense ? 2 : 1;
    f.loop(Math.floor(run.count / together), () => group(together));
    f.loop(run.count % together, () => group(1));
  }
}
