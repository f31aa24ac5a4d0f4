/**
 * Gradient of a convolution with kernels of 1 x 1 for its weights, dw[ci][co] = sum over pixels and
 * samples of x[ci] * dy[co]: 2 FLOP for each pair that exists.
 *
 * Register tile: 6 input channels x 2 output channels, a vector over samples each (12 sums, 2 of dy,
 * 1 of x), 5 x 2 without fused multiply-add. Blocks of pixels stay in the second-level cache while
 * all tiles pass; between blocks the sums wait in scratch, and lanes are added once, at the end. Where
 * the sums of all output channels would crowd that cache, a group of channels follows the other.
 */
import { conv2dAxes, type Conv2dShape, metOutputs } from "./conv2d_shape.ts";
import type { FunctionBuilder, FunctionHandle } from "./emitter/function_builder.ts";
import { i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";
import { callKernel, defineKernel, type Kernel } from "./kernel.ts";
import {
  partialSums,
  storeLaneSums,
  type SumEpilogue,
  sumEpilogueKey,
  sumEpilogueOperands,
} from "./lane_sums.ts";
import { range, splitEvenly } from "./tiles.ts";

type Operand = "x" | "dy" | "dw" | "scale" | "scratch";

/** What a block of pixels may take of the second-level cache. */
const BLOCK_BYTES = 192 * 1024;
/** What the sums that wait may take of it; those of more output channels are computed in turn. */
const SUMS_BYTES = 256 * 1024;

/** As `conv2dWeightGradient` for kernels of 1 x 1. */
export function pointwiseWeightGradient(
  module: ModuleBuilder,
  shape: Conv2dShape,
  epilogue: SumEpilogue = {},
  part = shape.outputChannels,
): Kernel {
  const { batch, inputChannels, outputChannels } = shape;
  const { rows, columns } = conv2dAxes(shape);
  const { blocks = { count: 1, input: batch, output: batch } } = shape;
  const lanes = batch / blocks.count * 4;
  const xPixel = inputChannels * lanes, dyPixel = outputChannels * lanes;
  const weights = inputChannels * part;
  const most = Math.max(2, Math.floor(SUMS_BYTES / inputChannels / 16));
  if (part > most) return inGroups(module, shape, epilogue, part, most);
  const key = `pointwise weight gradient ${JSON.stringify([shape, sumEpilogueKey(epilogue)])}${
    part === outputChannels ? "" : ` of ${part}`
  }`;
  const y = metOutputs(rows, 0), x = metOutputs(columns, 0);
  // Rows that follow each other without a gap are one.
  const joined = columns.stride === 1 && x.count === columns.input && x.count === columns.output &&
    rows.stride === 1;
  const [lines, pixels] = joined ? [1, y.count * x.count] : [y.count, x.count];
  const blockPixels = Math.max(
    1,
    Math.floor(BLOCK_BYTES / blocks.count / (inputChannels + part) / lanes),
  );
  return defineKernel(module, {
    key,
    params: ["x", "dy", "dw", ...sumEpilogueOperands(epilogue), "scratch"],
    flops: 2 * batch * weights * y.count * x.count,
    scratchBytes: weights * 16,
    build(f, args) {
      f.memoryFill(args.scratch, 0, weights * 16);
      const firstX = (y.low * rows.stride - rows.pad) * columns.input + x.low * columns.stride -
        columns.pad;
      const xLine = f.let(i32.add(args.x, firstX * xPixel));
      const dyLine = f.let(i32.add(args.dy, (y.low * columns.output + x.low) * dyPixel));
      f.loop(pixels === 0 ? 0 : lines, () => {
        const xAt = f.let(xLine), dyAt = f.let(dyLine);
        for (const { size, count } of splitEvenly(pixels, blockPixels)) {
          f.loop(count, () => {
            f.call(blockFunction(size), xAt, dyAt, args.scratch);
            f.bump(xAt, size * columns.stride * xPixel);
            f.bump(dyAt, size * dyPixel);
          });
        }
        f.bump(xLine, rows.stride * columns.input * xPixel);
        f.bump(dyLine, columns.output * dyPixel);
      });
      storeLaneSums(f, args, partialSums(weights, part, outputChannels), epilogue);
    },
  });

  /** Adds what a number of neighbouring pixels give to all sums. */
  function blockFunction(size: number): FunctionHandle {
    const name = `block of ${size}: ${key}`;
    const parameters = { x: "i32", dy: "i32", sums: "i32" } as const;
    return module.cached(name, () =>
      module.function(name, parameters, (f, args) => {
        const limit = module.arithmetic === "fused" ? 6 : 5;
        for (const outputs of splitEvenly(part, 2)) {
          f.loop(outputs.count, () => {
            const xAt = f.let(args.x), sums = f.let(args.sums);
            for (const inputs of splitEvenly(inputChannels, limit)) {
              f.loop(inputs.count, () => {
                tile(f, size, inputs.size, outputs.size, { x: xAt, dy: args.dy, sums });
                f.bump(xAt, inputs.size * lanes);
                f.bump(sums, inputs.size * part * 16);
              });
            }
            f.bump(args.dy, outputs.size * lanes);
            f.bump(args.sums, outputs.size * 16);
          });
        }
      }));
  }

  function tile(
    f: FunctionBuilder,
    size: number,
    inputs: number,
    outputs: number,
    at: Record<"x" | "dy" | "sums", Local<"i32">>,
  ): void {
    const place = (i: number, o: number) => (i * part + o) * 16;
    const sums = range(inputs).map((i) =>
      range(outputs).map((o) => f.let(v128.load(at.sums, place(i, o))))
    );
    const xAt = f.let(at.x), dyAt = f.let(at.dy);
    f.loop(size, () => {
      f.loop(blocks.count, () => {
        f.unrolledLoop(lanes / 16, 4, () => {
          const gradients = range(outputs).map((o) => f.let(v128.load(dyAt, o * lanes)));
          for (const [i, row] of sums.entries()) {
            const value = f.let(v128.load(xAt, i * lanes));
            for (const [o, sum] of row.entries()) f.accumulate(sum, value, gradients[o]!);
          }
          f.bump(xAt, 16);
          f.bump(dyAt, 16);
        });
        f.bump(xAt, blocks.input * 4 - lanes);
        f.bump(dyAt, blocks.output * 4 - lanes);
      });
      f.bump(xAt, columns.stride * xPixel - blocks.count * blocks.input * 4);
      f.bump(dyAt, dyPixel - blocks.count * blocks.output * 4);
    });
    for (const [i, row] of sums.entries()) {
      for (const [o, sum] of row.entries()) f.store(at.sums, sum, place(i, o));
    }
  }
}

/** The gradients of all output channels, at most so many at a time. */
function inGroups(
  module: ModuleBuilder,
  shape: Conv2dShape,
  epilogue: SumEpilogue,
  part: number,
  most: number,
): Kernel {
  const groups = splitEvenly(part, most).map(({ size, count }) => ({
    ...{ size, count },
    kernel: pointwiseWeightGradient(module, shape, epilogue, size),
  }));
  const [{ kernel: { params } }] = groups as [typeof groups[0]];
  const lanes = shape.batch / (shape.blocks?.count ?? 1) * 4;
  return defineKernel(module, {
    key: `pointwise weight gradient in groups ${
      JSON.stringify([shape, sumEpilogueKey(epilogue), part])
    }`,
    params: params as readonly Operand[],
    flops: groups.reduce((sum, { count, kernel }) => sum + count * kernel.flops, 0),
    scratchBytes: Math.max(...groups.map(({ kernel }) => kernel.scratchBytes)),
    build(f, args) {
      for (const { size, count, kernel } of groups) {
        f.loop(count, () => {
          callKernel(f, kernel, args);
          f.bump(args.dy, size * lanes);
          f.bump(args.dw, size * 4);
        });
      }
    },
  });
}
