/**
 * Gradient of a convolution for its weights by panels: 2 FLOP for each pair that exists. See
 * `panel_tile.ts` for why, and for the register tile.
 *
 * Some pixels of dy are turned, to [pixels][samples][16 channels], and are a panel. It meets all inputs of
 * these pixels: those of a kernel row are neighbours, [taps][channels], in x as in dw. A sum goes over
 * pixels and samples in their order, which is another order than that of `conv2d_weight_gradient.ts`;
 * so this is done only in fused arithmetic, whose bits differ among processors anyway, and there also
 * where vectors are not joined: the bits shall not depend on how the engine was started. Between panels
 * the sums wait in scratch; blocks of rows stay in the second-level cache while all panels pass.
 */
import { conv2dAxes, type Conv2dShape } from "./conv2d_shape.ts";
import { flopsOf, forwardTaps, type TapRun } from "./conv_taps.ts";
import type { FunctionBuilder, FunctionHandle } from "./emitter/function_builder.ts";
import { f32x4, i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local, V128 } from "./emitter/value.ts";
import { storeResult } from "./epilogue.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { type SumEpilogue, sumEpilogueKey, sumEpilogueOperands } from "./lane_sums.ts";
import { keepSums, takeSums } from "./panel_sums.ts";
import {
  addProduct,
  LEAST_CONVOLUTION_FLOPS,
  PANEL_DEPTH,
  panelPlace,
  type Panels,
  panelsOf,
  stripsOf,
} from "./panel_tile.ts";
import { range, splitEvenly } from "./tiles.ts";
import { transpose4 } from "./transpose.ts";
import { winogradPays } from "./winograd_convolution.ts";

const LEAST_CHANNELS = 8;
/** Fewer rows are few sums, which wait for each other. */
const LEAST_ROWS = 8;
/** What a block of rows may take of the second-level cache. */
const BLOCK_BYTES = 192 * 1024;

/** Neighbouring rows of each kernel row of dw, [taps][input channels]. */
export interface WeightRows {
  readonly first: number;
  readonly count: number;
}

/** Whether a weight gradient is computed so. */
export function turningPays(module: ModuleBuilder, shape: Conv2dShape): boolean {
  const { batch, inputChannels, outputChannels, kernelWidth } = shape;
  const fits = module.workbench !== undefined && module.arithmetic === "fused" &&
    conv2dAxes(shape).columns.dilation === 1 && batch <= PANEL_DEPTH && !winogradPays(shape);
  const {
    byPanels = outputChannels >= LEAST_CHANNELS && kernelWidth * inputChannels >= LEAST_ROWS &&
      flopsOf(shape) >= LEAST_CONVOLUTION_FLOPS,
  } = shape;
  return fits && byPanels;
}

/**
 * As `conv2dWeightGradient`, for what {@link turningPays} says.
 *
 * @param part rows that are computed, each with the bits that it has among all @default all
 */
export function turnedWeightGradient(
  module: ModuleBuilder,
  shape: Conv2dShape,
  epilogue: SumEpilogue = {},
  part: WeightRows = { first: 0, count: shape.kernelWidth * shape.inputChannels },
): Kernel {
  const { batch, inputChannels, outputChannels, kernelHeight, kernelWidth } = shape;
  const { blocks = { count: 1, input: batch, output: batch } } = shape;
  const axes = conv2dAxes(shape);
  const rows = forwardTaps(axes.rows), columns = forwardTaps(axes.columns);
  const own = batch / blocks.count, lanes = own * 4;
  const xPixel = inputChannels * lanes, dyPixel = outputChannels * lanes;
  const xRow = axes.columns.input * xPixel, dyRow = axes.columns.output * dyPixel;
  const weightRows = kernelHeight * part.count;
  const panels = panelsOf(module, outputChannels);
  const blockRows = Math.max(
    1,
    Math.floor(BLOCK_BYTES / ((xRow * axes.rows.stride + dyRow) * blocks.count)),
  );
  const key = `conv2d weight gradient by panels ${
    JSON.stringify([shape, part, sumEpilogueKey(epilogue)])
  } at ${panelPlace(module)}`;
  const sumBytes = panels.reduce((sum, { vectors, count }) => sum + count * vectors, 0) *
    weightRows * 16;
  return defineKernel(module, {
    key,
    params: ["x", "dy", "dw", ...sumEpilogueOperands(epilogue), "scratch"],
    flops: flopsOf(shape) * part.count / (kernelWidth * inputChannels),
    scratchBytes: sumBytes,
    build(f, args) {
      f.memoryFill(args.scratch, 0, sumBytes);
      for (const run of rows.runs) {
        if (run.taps === 0) continue;
        const x = f.let(i32.add(args.x, run.source * xRow));
        const dy = f.let(i32.add(args.dy, run.first * dyRow));
        const first = run.tap * part.count;
        for (const { size, count } of splitEvenly(run.count, blockRows)) {
          f.loop(count, () => {
            const sums = f.let(args.scratch), channels = f.let(dy);
            for (const panel of panels) {
              const rowBytes = panel.vectors * 16;
              f.loop(panel.count, () => {
                const at = i32.add(sums, first * rowBytes);
                f.call(rowsFunction(panel), x, channels, at, size, run.taps);
                f.bump(sums, weightRows * rowBytes);
                f.bump(channels, panel.vectors * 4 * lanes);
              });
            }
            f.bump(x, size * rows.sourceStep * xRow);
            f.bump(dy, size * dyRow);
          });
        }
      }
      const scale = args.scale && f.let(v128.load32Splat(args.scale));
      for (const { vectors, lastLanes, count } of panels) {
        f.loop(count, () => {
          const dw = f.let(i32.add(args.dw, part.first * outputChannels * 4));
          f.loop(kernelHeight, () => {
            f.loop(part.count, () => {
              for (const v of range(vectors)) {
                const lanes = v < vectors - 1 ? 4 : lastLanes;
                const place = { c: dw, offset: v * 16, lanes, scale };
                storeResult(f, epilogue, v128.load(args.scratch, v * 16), place);
              }
              f.bump(args.scratch, vectors * 16);
              f.bump(dw, outputChannels * 4);
            });
            f.bump(dw, (kernelWidth * inputChannels - part.count) * outputChannels * 4);
          });
          f.bump(args.dw, vectors * 16);
        });
      }
    },
  });

  /** Adds what a number of rows give to the sums of some channels. */
  function rowsFunction(panel: Panels): FunctionHandle {
    const name = `rows of ${[panel.vectors, panel.lastLanes]}: ${key}`;
    const parameters = { x: "i32", dy: "i32", sums: "i32", rows: "i32", taps: "i32" } as const;
    const together = Math.floor(PANEL_DEPTH / batch);
    return module.cached(name, () =>
      module.function(name, parameters, (f, args) => {
        f.repeat(args.rows, () => {
          for (const run of columns.runs) {
            if (run.taps === 0) continue;
            const x = f.let(i32.add(args.x, run.source * xPixel));
            const dy = f.let(i32.add(args.dy, run.first * dyPixel));
            const pixels = (count: number) => {
              turn(f, panel, count, dy);
              meet(f, panel, run, count, { ...args, x });
              f.bump(x, count * columns.sourceStep * xPixel);
              f.bump(dy, count * dyPixel);
            };
            for (const { size, count } of splitEvenly(run.count, together)) {
              f.loop(count, () => pixels(size));
            }
          }
          f.bump(args.x, rows.sourceStep * xRow);
          f.bump(args.dy, dyRow);
        });
      }));
  }

  /** Makes a panel of some neighbouring pixels. */
  function turn(
    f: FunctionBuilder,
    { vectors, lastLanes }: Panels,
    pixels: number,
    dy: Local<"i32">,
  ): void {
    const to = f.let(i32.const(panelPlace(module)));
    const pixel = f.let(dy);
    f.loop(pixels, () => {
      const block = f.let(pixel);
      f.loop(blocks.count, () => {
        const from = f.let(block);
        f.loop(own / 4, () => {
          for (const v of range(vectors)) {
            f.scope(() => {
              const present = v < vectors - 1 ? 4 : lastLanes;
              const channels = range(4).map((i) =>
                i < present ? f.let(v128.load(from, (v * 4 + i) * lanes)) : f32x4.const(0)
              );
              transpose4(f, channels as [V128, V128, V128, V128]).forEach((sample, i) =>
                f.store(to, sample, (i * vectors + v) * 16)
              );
            });
          }
          f.bump(from, 16);
          f.bump(to, vectors * 64);
        });
        f.bump(block, blocks.output * 4);
      });
      f.bump(pixel, dyPixel);
    });
  }

  /** Adds the products of a panel with all inputs of its pixels to the sums. */
  function meet(
    f: FunctionBuilder,
    { vectors }: Panels,
    { tap, taps: columnTaps }: TapRun,
    pixels: number,
    { x, sums, taps }: Record<"x" | "sums" | "taps", Local<"i32">>,
  ): void {
    const depth = pixels * batch;
    const blockGap = blocks.input - own;
    const pixelGap = columns.sourceStep * xPixel / 4 - (blocks.count - 1) * blocks.input - own;
    const gaps = new Map(
      range(pixels * blocks.count).slice(1).map((i) =>
        [i * own, i % blocks.count === 0 ? pixelGap : blockGap] as const
      ),
    );
    const first = Math.max(part.first, tap * inputChannels);
    const end = Math.min(part.first + part.count, (tap + columnTaps) * inputChannels);
    if (end <= first) return;
    const a = f.let(i32.add(x, (first - tap * inputChannels) * lanes));
    const kept = f.let(i32.add(sums, (first - part.first) * vectors * 16));
    f.repeat(taps, () => {
      const strip = f.let(a), at = f.let(kept);
      for (const { size, count } of stripsOf(module, end - first)) {
        const tile = { rows: size, vectors, depth, aRow: own, aDepth: 1, gaps };
        f.loop(count, () => {
          takeSums(f, module, { rows: size, vectors }, at);
          addProduct(f, module, tile, strip);
          keepSums(f, module, { rows: size, vectors }, at);
          f.bump(strip, size * lanes);
          f.bump(at, size * vectors * 16);
        });
      }
      f.bump(a, rows.tapSourceStep * xRow);
      f.bump(kept, part.count * vectors * 16);
    });
  }
}
