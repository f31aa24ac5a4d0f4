/**
 * Gradient of a convolution for its input by panels, with the bits of `conv2d_gather.ts`: 2 FLOP for
 * each pair that exists. See `panel_tile.ts` for why, and for the register tile.
 *
 * Up to 16 samples of a pixel of dy, [channels][samples], are a panel. It meets all weights at once, and
 * gives to all pixels that it reaches: those of a kernel row are neighbours, [taps][channels][samples],
 * in dx as in the product, so that the sums of a strip are taken from dx and kept there. From the last
 * pixel of dy to the first, each sum meets its terms in the order of the taps.
 */
import { conv2dAxes, type Conv2dShape } from "./conv2d_shape.ts";
import { flopsOf, forwardTaps, type TapRun } from "./conv_taps.ts";
import type { FunctionHandle } from "./emitter/function_builder.ts";
import { i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import { type Epilogue, epilogueKey, storeResult } from "./epilogue.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { packPanel } from "./pack_panel.ts";
import { keepSums, takeSums } from "./panel_sums.ts";
import {
  addProduct,
  depthsOf,
  LEAST_CONVOLUTION_FLOPS,
  panelPlace,
  panelsOf,
  stripsOf,
} from "./panel_tile.ts";

/** Sums that are taken and kept for fewer terms take longer than the terms. */
const LEAST_DEPTH = 12;
/** Fewer rows are few sums, which wait for each other. */
const LEAST_ROWS = 12;
const LEAST_BATCH = 8;

/** Whether an input gradient can be computed so, and is faster. */
export function scatterPays(
  { isWide }: ModuleBuilder,
  shape: Conv2dShape,
  { bias, activation = "none", accumulate = false, scale = 1 }: Epilogue,
): boolean {
  const { batch, batchStride = batch, inputChannels, outputChannels, kernelWidth } = shape;
  const { rows, columns } = conv2dAxes(shape);
  const isDense = [rows, columns].every(({ stride, dilation }) => stride === 1 && dilation === 1);
  const isPlain = bias === undefined && activation === "none" && !accumulate && scale === 1;
  const {
    byPanels = outputChannels >= LEAST_DEPTH && kernelWidth * inputChannels >= LEAST_ROWS &&
      flopsOf(shape) >= LEAST_CONVOLUTION_FLOPS,
  } = shape;
  return isWide && isDense && isPlain && batchStride === batch &&
    batch >= LEAST_BATCH && byPanels;
}

/** As `conv2dInputGradient`, for what {@link scatterPays} says. */
export function scatterInputGradient(
  module: ModuleBuilder,
  shape: Conv2dShape,
  epilogue: Epilogue,
): Kernel {
  const { batch, inputChannels, outputChannels, kernelWidth } = shape;
  const axes = conv2dAxes(shape);
  const rows = forwardTaps(axes.rows), columns = forwardTaps(axes.columns);
  const hasMask = epilogue.mask === true;
  const lanes = batch * 4;
  const dyPixel = outputChannels * lanes, dxPixel = inputChannels * lanes;
  const dyRow = axes.columns.output * dyPixel, dxRow = axes.columns.input * dxPixel;
  const tapBytes = inputChannels * outputChannels * 4;
  const key = `conv2d input gradient by panels ${JSON.stringify(shape)} ${
    epilogueKey(epilogue)
  } at ${panelPlace(module)}`;
  return defineKernel(module, {
    key,
    params: ["dy", "w", "dx", ...(hasMask ? ["mask" as const] : [])],
    flops: flopsOf(shape),
    build(f, args) {
      const dxBytes = axes.rows.input * dxRow;
      f.memoryFill(args.dx, 0, dxBytes);
      const row = rowFunction();
      for (const run of rows.runs.toReversed()) {
        if (run.taps === 0) continue;
        const last = run.count - 1;
        const dy = f.let(i32.add(args.dy, (run.first + last) * dyRow));
        const dx = f.let(i32.add(args.dx, (run.source + last) * dxRow));
        const w = f.let(i32.add(args.w, run.tap * kernelWidth * tapBytes));
        f.loop(run.count, () => {
          f.call(row, dy, w, dx, run.taps);
          f.bump(dy, -dyRow);
          f.bump(dx, -dxRow);
        });
      }
      if (!hasMask) return;
      f.loop(dxBytes / 16, () => {
        const place = { c: args.dx, offset: 0, lanes: 4, mask: args.mask };
        storeResult(f, epilogue, v128.load(args.dx), place);
        f.bump(args.dx, 16);
        f.bump(args.mask, 16);
      });
    },
  });

  /** What one row of dy gives. */
  function rowFunction(): FunctionHandle {
    const name = `row: ${key}`;
    const parameters = { dy: "i32", w: "i32", dx: "i32", taps: "i32" } as const;
    return module.cached(name, () =>
      module.function(name, parameters, (f, args) => {
        for (const run of columns.runs.toReversed()) {
          if (run.taps === 0) continue;
          const last = run.count - 1;
          const dy = f.let(i32.add(args.dy, (run.first + last) * dyPixel));
          const dx = f.let(i32.add(args.dx, (run.source + last) * dxPixel));
          const w = f.let(i32.add(args.w, run.tap * tapBytes));
          f.loop(run.count, () => {
            for (const { vectors, count } of panelsOf(module, batch)) {
              const pixel = pixelFunction(run, vectors);
              f.loop(count, () => {
                f.call(pixel, dy, w, dx, args.taps);
                f.bump(dy, vectors * 16);
                f.bump(dx, vectors * 16);
              });
            }
            f.bump(dy, -dyPixel - lanes);
            f.bump(dx, -dxPixel - lanes);
          });
        }
      }));
  }

  /** What some samples of a pixel of dy give. */
  function pixelFunction({ taps }: TapRun, vectors: number): FunctionHandle {
    const name = `pixel ${[taps, vectors]}: ${key}`;
    const parameters = { dy: "i32", w: "i32", dx: "i32", taps: "i32" } as const;
    return module.cached(name, () =>
      module.function(name, parameters, (f, args) => {
        for (const { size: depth, count } of depthsOf(outputChannels)) {
          f.loop(count, () => {
            const to = f.let(i32.const(panelPlace(module)));
            packPanel(f, args.dy, to, depth, batch, vectors, undefined);
            const a = f.let(args.w), c = f.let(args.dx);
            f.repeat(args.taps, () => {
              const aStrip = f.let(a), cStrip = f.let(c);
              for (const { size: rows, count } of stripsOf(module, taps * inputChannels)) {
                const kept = { rows, vectors, rowBytes: lanes };
                const own = { rows, vectors, depth, aRow: outputChannels, aDepth: 1 };
                f.loop(count, () => {
                  takeSums(f, module, kept, cStrip);
                  addProduct(f, module, own, aStrip);
                  keepSums(f, module, kept, cStrip);
                  f.bump(aStrip, rows * outputChannels * 4);
                  f.bump(cStrip, rows * lanes);
                });
              }
              f.bump(a, kernelWidth * tapBytes);
              f.bump(c, dxRow);
            });
            f.bump(args.dy, depth * lanes);
            f.bump(args.w, depth * 4);
          });
        }
      }));
  }
}
