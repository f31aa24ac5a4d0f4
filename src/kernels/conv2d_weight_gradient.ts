/**
 * Gradient of a convolution for its weights, dw[ky][kx][ci][co] = sum over pixels and samples of
 * x[..][..][ci] * dy[..][..][co]: 2 FLOP for each pair that exists.
 *
 * A sum is a vector over samples; lanes are added once, at the end. Register tile: for kernels 5
 * wide 2 output channels x 5 taps and two pixels at once, which share 4 of their 6 inputs (10
 * loads for 20 multiply-adds); for kernels 3 wide 3 x 3 with one pixel, unrolled over samples.
 * Blocks of rows keep what a tile reads in the first-level cache; between blocks the sums wait in
 * scratch, laid out as dw with a vector for each float.
 */
import { type BatchBlocks, conv2dAxes, type Conv2dShape } from "./conv2d_shape.ts";
import { turnedWeightGradient, turningPays } from "./conv2d_turned_gradient.ts";
import { type AxisTaps, forwardTaps, type TapRun } from "./conv_taps.ts";
import type { FunctionBuilder, FunctionHandle } from "./emitter/function_builder.ts";
import { i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import {
  partialSums,
  storeLaneSums,
  type SumEpilogue,
  sumEpilogueKey,
  sumEpilogueOperands,
} from "./lane_sums.ts";
import { pointwiseWeightGradient } from "./pointwise_weight_gradient.ts";
import { range, splitEvenly } from "./tiles.ts";
import { winogradPays } from "./winograd_convolution.ts";
import { winogradWeightGradient } from "./winograd_weight_gradient.ts";

/** What one block of rows may read, so that it stays in the first-level cache. */
const BLOCK_BYTES = 24 * 1024;

/**
 * Whether the gradient is the plain sum: then a part of it can be computed, with the bits that it has
 * among all, and the batch can lie in blocks.
 */
export function cutsWeightGradient(shape: Conv2dShape): boolean {
  return !winogradPays(shape);
}

/**
 * Operands `x`, `dy`, `dw`, then `scale` if it is an operand, then `scratch` if it is used.
 *
 * @param part so many output channels, from the one that `dy` and `dw` point to; all by default, and
 * fewer only if {@link cutsWeightGradient} says so and `turningPays` does not
 */
export function conv2dWeightGradient(
  module: ModuleBuilder,
  shape: Conv2dShape,
  epilogue: SumEpilogue = {},
  part = shape.outputChannels,
): Kernel {
  if (winogradPays(shape)) return winogradWeightGradient(module, shape, epilogue);
  if (turningPays(module, shape)) return turnedWeightGradient(module, shape, epilogue);
  const { batch, inputChannels, outputChannels, kernelHeight, kernelWidth } = shape;
  if (kernelHeight * kernelWidth === 1) {
    return pointwiseWeightGradient(module, shape, epilogue, part);
  }
  const { rows, columns } = conv2dAxes(shape);
  const { blocks = { count: 1, input: batch, output: batch } } = shape;
  const lanes = batch / blocks.count * 4;
  const xPixel = inputChannels * lanes, dyPixel = outputChannels * lanes;
  const weights = kernelHeight * kernelWidth * inputChannels * part;
  const { taps: tapLimit, channels: channelLimit, ...speed } = tileFor(
    kernelWidth,
    columns.stride === 1 && columns.dilation === 1,
    module.arithmetic === "fused",
  );
  const key = `conv2d weight gradient ${JSON.stringify([shape, part, sumEpilogueKey(epilogue)])}`;
  const rowTaps = forwardTaps(rows), columnTaps = forwardTaps(columns);
  const blockRows = Math.max(
    1,
    Math.floor(BLOCK_BYTES / (batch * 4) / (channelLimit * columns.output + columns.input)),
  );
  return defineKernel(module, {
    key,
    params: ["x", "dy", "dw", ...sumEpilogueOperands(epilogue), "scratch"],
    flops: 2 * batch * inputChannels * part * rowTaps.pairs * columnTaps.pairs,
    scratchBytes: weights * 16,
    build(f, args) {
      f.memoryFill(args.scratch, 0, weights * 16);
      for (let block = 0; block < rows.output; block += blockRows) sumBlock(f, args, block);
      storeLaneSums(f, args, partialSums(weights, part, outputChannels), epilogue);
    },
  });

  /** Adds what a block of output rows gives to the sums in scratch. */
  function sumBlock(
    f: FunctionBuilder,
    args: Record<"x" | "dy" | "scratch", Local<"i32">>,
    block: number,
  ): void {
    const dy = f.let(args.dy), channelSums = f.let(args.scratch);
    for (const channels of splitEvenly(part, channelLimit)) {
      f.loop(channels.count, () => {
        const x = f.let(args.x), sums = f.let(channelSums);
        f.loop(inputChannels, () => {
          for (const ky of range(kernelHeight)) {
            // The rows of the block whose input row for this ky exists.
            const shift = ky * rows.dilation - rows.pad;
            const low = Math.max(block, Math.ceil(-shift / rows.stride));
            const end = Math.min(
              ...[block + blockRows, rows.output],
              Math.floor((rows.input - 1 - shift) / rows.stride) + 1,
            );
            if (end <= low) continue;
            let tap = 0;
            for (const { size, count } of splitEvenly(kernelWidth, tapLimit)) {
              for (const _ of range(count)) {
                const input = (low * rows.stride + shift) * columns.input * xPixel;
                f.call(
                  tileFunction(channels.size, tap, size),
                  i32.add(x, input),
                  i32.add(dy, low * columns.output * dyPixel),
                  i32.add(
                    sums,
                    (ky * kernelWidth + tap) * inputChannels * part * 16,
                  ),
                  end - low,
                );
                tap += size;
              }
            }
          }
          f.bump(x, lanes);
          f.bump(sums, part * 16);
        });
        f.bump(dy, channels.size * lanes);
        f.bump(channelSums, channels.size * 16);
      });
    }
  }

  /** Adds to the sums of some output channels and neighbouring taps over a number of rows. */
  function tileFunction(channels: number, tap: number, taps: number): FunctionHandle {
    const name = `${channels} channels, taps ${tap} to ${tap + taps - 1}: ${key}`;
    const chunk = forwardTaps({
      ...columns,
      kernel: taps,
      pad: columns.pad - tap * columns.dilation,
    });
    const parameters = { x: "i32", dy: "i32", sums: "i32", rows: "i32" } as const;
    return module.cached(name, () =>
      module.function(name, parameters, (f, args) => {
        const place = (r: number, t: number) => (t * inputChannels * part + r) * 16;
        const sums = range(channels).map((r) =>
          range(taps).map((t) => f.let(v128.load(args.sums, place(r, t))))
        );
        f.repeat(args.rows, () => {
          for (const run of chunk.runs) {
            if (run.taps > 0) {
              sumRun(f, { run, chunk, sums, xPixel, dyPixel, lanes, blocks, ...speed }, args);
            }
          }
          f.bump(args.x, rows.stride * columns.input * xPixel);
          f.bump(args.dy, columns.output * dyPixel);
        });
        for (const [r, row] of sums.entries()) {
          for (const [t, sum] of row.entries()) f.store(args.sums, sum, place(r, t));
        }
      }));
  }
}

interface TileChoice {
  readonly taps: number;
  readonly channels: number;
  /** Neighbouring pixels computed at once. */
  readonly pixels: number;
  /** Vectors of samples written out one after the other. */
  readonly unroll: number;
}

/** The register tile for a kernel width: measured, at most 15 registers. */
function tileFor(kernelWidth: number, dense: boolean, fused: boolean): TileChoice {
  const taps = splitEvenly(kernelWidth, 5)[0]!.size;
  const channels = [6, 6, 4, 3, 2, 2][taps]!;
  const pixels = dense && taps >= 4 && (fused || taps === 4) ? 2 : 1;
  return { taps, channels, pixels, unroll: pixels === 1 ? 4 : 2 };
}

interface RunSums {
  readonly run: TapRun;
  readonly chunk: AxisTaps;
  readonly sums: readonly (readonly Local<"v128">[])[];
  /** Bytes from one pixel to the next. */
  readonly xPixel: number;
  readonly dyPixel: number;
  /** Bytes of the samples of a block in one channel. */
  readonly lanes: number;
  readonly blocks: BatchBlocks;
  readonly pixels: number;
  readonly unroll: number;
}

/** The pixels of one run in one row. */
function sumRun(
  f: FunctionBuilder,
  { run, chunk, sums, xPixel, dyPixel, lanes, blocks, pixels, unroll }: RunSums,
  args: Record<"x" | "dy", Local<"i32">>,
): void {
  const x = f.let(i32.add(args.x, run.source * xPixel));
  const dy = f.let(i32.add(args.dy, run.first * dyPixel));
  const group = (at: number) => {
    const step = gatherStep(lanes / 16, unroll);
    f.loop(blocks.count, () => {
      f.loop(lanes / 16 / step, () => {
        for (const u of range(step)) f.scope(() => vectorStep(at, u * 16));
        f.bump(x, step * 16);
        f.bump(dy, step * 16);
      });
      f.bump(x, blocks.input * 4 - lanes);
      f.bump(dy, blocks.output * 4 - lanes);
    });
    f.bump(x, at * chunk.sourceStep * xPixel - blocks.count * blocks.input * 4);
    f.bump(dy, at * dyPixel - blocks.count * blocks.output * 4);
  };
  /** One vector of samples of `at` neighbouring pixels: each input meets all taps it belongs to. */
  const vectorStep = (at: number, offset: number) => {
    const gradients = range(at).map((p) =>
      sums.map((_, r) => f.let(v128.load(dy, r * lanes + p * dyPixel + offset)))
    );
    for (const i of range(run.taps + at - 1)) {
      f.scope(() => {
        const value = f.let(v128.load(x, i * chunk.tapSourceStep * xPixel + offset));
        for (const [p, gradient] of gradients.entries()) {
          const t = i - p;
          if (t < 0 || t >= run.taps) continue;
          for (const [r, row] of sums.entries()) {
            f.accumulate(row[run.tap + t]!, gradient[r]!, value);
          }
        }
      });
    }
  };
  f.loop(Math.floor(run.count / pixels), () => group(pixels));
  f.loop(run.count % pixels, () => group(1));
}

/** The largest of 1, 2, 4 that divides the number of vectors, up to a limit. */
function gatherStep(vectors: number, limit: number): number {
  return [4, 2, 1].find((step) => step <= limit && vectors % step === 0)!;
}
