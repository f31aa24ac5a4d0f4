/**
 * Convolution of each channel by itself, [height][width][channels][batch] with weights
 * [kernelHeight][kernelWidth][channels][multiplier], and the
 * gradient for its input. Vectors of samples are the
 * sums in registers; taps are written out, so that border pixels are code of their own.
 */
import { conv2dAxes, type Conv2dShape } from "./conv2d_shape.ts";
import { type AxisTaps, forwardTaps, gradientTaps, type TapRun } from "./conv_taps.ts";
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32x4, i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";
import { type Epilogue, epilogueKey, epilogueOperands, storeResult } from "./epilogue.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { range } from "./tiles.ts";

/** `outputChannels` is a multiple of `inputChannels`. */
export type DepthwiseShape = Conv2dShape;

/** Vectors of samples computed at once. */
const WIDE = 8;

/** Output channels of one input channel. */
export function multiplierOf({ inputChannels, outputChannels }: DepthwiseShape): number {
  return outputChannels / inputChannels;
}

/** Operands `x`, `w`, `y`, then those of the epilogue (`bias: "row"` is one float a channel). */
export function depthwiseForward(
  module: ModuleBuilder,
  shape: DepthwiseShape,
  epilogue: Epilogue = {},
): Kernel {
  const { rows, columns } = conv2dAxes(shape);
  const taps = { rows: forwardTaps(rows), columns: forwardTaps(columns) };
  return gather(module, shape, taps, epilogue, true);
}

/** Operands `dy`, `w`, `dx`, then those of the epilogue. */
export function depthwiseInputGradient(
  module: ModuleBuilder,
  shape: DepthwiseShape,
  epilogue: Epilogue = {},
): Kernel {
  const { rows, columns } = conv2dAxes(shape);
  const taps = { rows: gradientTaps(rows), columns: gradientTaps(columns) };
  return gather(module, shape, taps, epilogue, false);
}

/** Each result from the sources that its taps meet: x for y, or the other way. */
function gather(
  module: ModuleBuilder,
  shape: DepthwiseShape,
  { rows, columns }: { readonly rows: AxisTaps; readonly columns: AxisTaps },
  epilogue: Epilogue,
  forward: boolean,
): Kernel {
  const { batch, inputChannels, outputChannels, kernelWidth } = shape;
  const axes = conv2dAxes(shape);
  const multiplier = multiplierOf(shape);
  const lanes = batch * 4;
  const [sourceChannels, resultChannels] = forward
    ? [inputChannels, outputChannels]
    : [outputChannels, inputChannels];
  const sourceRow = (forward ? axes.columns.input : axes.columns.output) * sourceChannels * lanes;
  const resultRow = (forward ? axes.columns.output : axes.columns.input) * resultChannels * lanes;
  const own = epilogueOperands(epilogue);
  const name = forward ? "depthwise forward" : "depthwise input gradient";
  const [source, result] = forward ? ["x", "y"] : ["dy", "dx"];
  return defineKernel(module, {
    key: `${name} ${JSON.stringify(shape)} ${epilogueKey(epilogue)}`,
    params: [source!, "w", result!, ...own] as string[],
    flops: 2 * batch * outputChannels * rows.pairs * columns.pairs,
    build(f, args) {
      const scale = args["scale"] && f.let(v128.load32Splat(args["scale"]));
      for (const row of rows.runs) {
        const from = f.let(i32.add(args[source!]!, row.source * sourceRow));
        const to = f.let(i32.add(args[result!]!, row.first * resultRow));
        const mask = args["mask"] && f.let(i32.add(args["mask"], row.first * resultRow));
        f.loop(row.count, () => {
          for (const column of columns.runs) {
            const xAt = f.let(i32.add(from, column.source * sourceChannels * lanes));
            const yAt = f.let(i32.add(to, column.first * resultChannels * lanes));
            const maskAt = mask && f.let(i32.add(mask, column.first * resultChannels * lanes));
            f.loop(column.count, () => {
              channels(f, { row, column }, {
                xAt,
                yAt,
                maskAt,
                w: args["w"]!,
                bias: args["bias"],
                scale,
              });
              f.bump(xAt, (columns.sourceStep - 1) * sourceChannels * lanes);
              f.bump(yAt, (columns.step - 1) * resultChannels * lanes);
              if (maskAt !== undefined) f.bump(maskAt, (columns.step - 1) * resultChannels * lanes);
            });
          }
          f.bump(from, rows.sourceStep * sourceRow);
          f.bump(to, rows.step * resultRow);
          if (mask !== undefined) f.bump(mask, rows.step * resultRow);
        });
      }
    },
  });

  /** All channels of one pixel. */
  function channels(
    f: FunctionBuilder,
    { row, column }: { readonly row: TapRun; readonly column: TapRun },
    { xAt, yAt, maskAt, w, bias: biases, scale }: {
      readonly xAt: Local<"i32">;
      readonly yAt: Local<"i32">;
      readonly maskAt: Local<"i32"> | undefined;
      readonly w: Local<"i32">;
      readonly bias: Local<"i32"> | undefined;
      readonly scale: Local<"v128"> | undefined;
    },
  ): void {
    const weight = f.let(w);
    const biasAt = biases && f.let(biases);
    const tapOf = (ky: number, kx: number) =>
      (((row.tap + ky * rows.tapStep) * kernelWidth + column.tap + kx * columns.tapStep) *
        outputChannels) * 4;
    const sourceOf = (ky: number, kx: number) =>
      ky * rows.tapSourceStep * sourceRow + kx * columns.tapSourceStep * sourceChannels * lanes;
    f.loop(inputChannels, () => {
      for (const j of range(forward ? multiplier : 1)) {
        const bias = biasAt && f.let(v128.load32Splat(biasAt, j * 4));
        for (let first = 0; first < batch / 4; first += WIDE) {
          f.scope(() => {
            const vectors = range(Math.min(WIDE, batch / 4 - first));
            const sums = vectors.map(() => f.let(f32x4.const(0)));
            for (const ky of range(row.taps)) {
              for (const kx of range(column.taps)) {
                for (const m of range(forward ? 1 : multiplier)) {
                  f.scope(() => {
                    const factor = f.let(v128.load32Splat(weight, tapOf(ky, kx) + (j + m) * 4));
                    const offset = sourceOf(ky, kx) + m * lanes;
                    // An offset below zero would not wrap.
                    const at = offset < 0 ? f.let(i32.add(xAt, offset)) : xAt;
                    const by = offset < 0 ? 0 : offset;
                    for (const v of vectors) {
                      f.accumulate(sums[v]!, factor, v128.load(at, by + (first + v) * 16));
                    }
                  });
                }
              }
            }
            for (const v of vectors) {
              const offset = j * lanes + (first + v) * 16;
              const place = { c: yAt, offset, lanes: 4, mask: maskAt, bias, scale };
              storeResult(f, epilogue, sums[v]!, place);
            }
          });
        }
      }
      f.bump(weight, multiplier * 4);
      if (biasAt !== undefined) f.bump(biasAt, (forward ? multiplier : 1) * 4);
      f.bump(xAt, (forward ? 1 : multiplier) * lanes);
      f.bump(yAt, (forward ? multiplier : 1) * lanes);
      if (maskAt !== undefined) f.bump(maskAt, (forward ? multiplier : 1) * lanes);
    });
  }
}
