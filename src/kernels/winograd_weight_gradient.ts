/**
 * Gradient of a 3 x 3 convolution for its weights by Winograd's F(4 x 4, 3 x 3). Tile by tile: 36
 * planes of x, [inputChannels][samples], and of dy, turned to [samples][outputChannels]; their
 * products are added up over the tiles, and weights come from the 36 sums at the end.
 */
import { conv2dAxes, type Conv2dShape } from "./conv2d_shape.ts";
import { flopsOf } from "./conv_taps.ts";
import type { FunctionBuilder, FunctionHandle } from "./emitter/function_builder.ts";
import { f32x4, i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local, V128 } from "./emitter/value.ts";
import { storeResult } from "./epilogue.ts";
import { gemm } from "./gemm.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { type SumEpilogue, sumEpilogueKey, sumEpilogueOperands } from "./lane_sums.ts";
import { range, splitEvenly } from "./tiles.ts";
import { transpose4 } from "./transpose.ts";
import {
  eachTile,
  firstInput,
  inputTileFunction,
  laneGroups,
  LANES,
  middleBytes,
  pixelBytes,
  planeFloats,
  type TiledImage,
  type TileSpan,
  tileSpans,
} from "./winograd_tiles.ts";
import {
  outputGradientTransform,
  PLANES,
  POINTS,
  TILE,
  transform2d,
  transformLines,
  weightGradientTransform,
} from "./winograd_transforms.ts";

/** A tile of dy while it is turned: 16 pixels of 16 samples of 16 channels. */
const TURNED_BYTES = TILE * TILE * 16 * 16 * 4;

/** As `conv2dWeightGradient` for kernels of 3 x 3. */
export function winogradWeightGradient(
  module: ModuleBuilder,
  shape: Conv2dShape,
  epilogue: SumEpilogue = {},
): Kernel {
  const { batch, inputChannels, outputChannels } = shape;
  const axes = conv2dAxes(shape);
  const { input: height, pad: padTop } = axes.rows;
  const { input: width, pad: padLeft } = axes.columns;
  const x = { height, width, channels: inputChannels, batch };
  const dy = {
    ...{ height: axes.rows.output, width: axes.columns.output, channels: outputChannels, batch },
  };
  const rows = tileSpans(height, dy.height, padTop);
  const columns = tileSpans(width, dy.width, padLeft);
  const weights = inputChannels * outputChannels;
  const lanesLimit = Math.max(...laneGroups(batch).map(({ size }) => size));
  const sumBytes = planeFloats(weights) * 4 * PLANES;
  const xBytes = planeFloats(inputChannels * lanesLimit) * 4 * PLANES;
  const dyBytes = planeFloats(paddedChannels(dy) * lanesLimit) * 4 * PLANES;
  return defineKernel(module, {
    key: `winograd weight gradient ${JSON.stringify([x, dy, padTop, padLeft])} ${
      sumEpilogueKey(epilogue)
    } at ${module.workbench}`,
    params: ["x", "dy", "dw", ...sumEpilogueOperands(epilogue), "scratch"],
    flops: flopsOf(shape),
    scratchBytes: sumBytes + xBytes + dyBytes + TURNED_BYTES + middleBytes(LANES),
    build(f, args) {
      const sums = args.scratch;
      const xPlanes = f.let(i32.add(sums, sumBytes));
      const dyPlanes = f.let(i32.add(xPlanes, xBytes));
      const turned = f.let(i32.add(dyPlanes, dyBytes));
      f.memoryFill(sums, 0, sumBytes);
      for (const { size, count } of laneGroups(batch)) {
        f.loop(count, () => {
          const tiled = [
            {
              ...{ pointer: args.x, image: x },
              firstRow: (span: TileSpan) => firstInput(span, padTop),
              firstColumn: (span: TileSpan) => firstInput(span, padLeft),
            },
            {
              ...{ pointer: args.dy, image: dy },
              firstRow: (span: TileSpan) => span.first * TILE,
              firstColumn: (span: TileSpan) => span.first * TILE,
            },
          ];
          eachTile(f, rows, columns, tiled, ([xAt, dyAt], row, column) => {
            f.call(inputTileFunction(module, x, size, row, column), xAt!, xPlanes, turned);
            f.call(gradientTileFunction(module, dy, size, row, column), dyAt!, dyPlanes, turned);
            addProducts(f, size, { sums, xPlanes, dyPlanes });
          });
          f.bump(args.x, size * 4);
          f.bump(args.dy, size * 4);
        });
      }
      finish(f, args);
    },
  });

  /** Adds the product of each plane of x and dy to the sums. */
  function addProducts(
    f: FunctionBuilder,
    lanes: number,
    at: Record<"sums" | "xPlanes" | "dyPlanes", Local<"i32">>,
  ): void {
    const { func } = gemm(module, {
      ...{ m: inputChannels, n: outputChannels, k: lanes, aRow: lanes, aDepth: 1 },
      ...{ bDepth: paddedChannels(dy), cRow: outputChannels },
      ...{ epilogue: { accumulate: true }, pack: false, byPanels: true },
    });
    const a = f.let(at.xPlanes), b = f.let(at.dyPlanes), c = f.let(at.sums);
    f.loop(PLANES, () => {
      f.call(func, a, b, c);
      f.bump(a, planeFloats(inputChannels * lanes) * 4);
      f.bump(b, planeFloats(paddedChannels(dy) * lanes) * 4);
      f.bump(c, planeFloats(weights) * 4);
    });
  }

  /** dw from the sums. */
  function finish(
    f: FunctionBuilder,
    { dw, scratch, scale: factor }: Record<"dw" | "scratch", Local<"i32">> & {
      scale?: Local<"i32">;
    },
  ): void {
    const scale = factor && f.let(v128.load32Splat(factor));
    const sums = f.let(scratch);
    const vector = (lanes: number) => {
      const square = range(POINTS).map((r) =>
        range(POINTS).map((c) =>
          f.let(v128.load(sums, (r * POINTS + c) * planeFloats(weights) * 4))
        )
      );
      const taps = transform2d(f, weightGradientTransform, square).flat();
      taps.forEach((tap, i) =>
        storeResult(f, epilogue, tap, { c: dw, offset: i * weights * 4, lanes, scale })
      );
      f.bump(sums, 16);
      f.bump(dw, 16);
    };
    f.loop(Math.floor(weights / 4), () => vector(4));
    if (weights % 4 > 0) f.scope(() => vector(weights % 4));
  }
}

/** Channels in whole vectors. */
function paddedChannels({ channels }: TiledImage): number {
  return Math.ceil(channels / 4) * 4;
}

/**
 * A function (dy, planes, turned) that writes the 36 planes [lanes][channels] of a tile, zeros for
 * channels that are none. Blocks of up to 16 channels x 16 samples, whole lines of the cache on
 * both sides, are turned in `turned`: [pixel][sample][channel].
 */
function gradientTileFunction(
  module: ModuleBuilder,
  image: TiledImage,
  lanes: number,
  row: TileSpan,
  column: TileSpan,
): FunctionHandle {
  const { width, channels, batch } = image;
  const name = `winograd gradient ${[
    width,
    channels,
    batch,
    lanes,
  ]}: ${row.outputs}, ${column.outputs}`;
  const planeRow = paddedChannels(image) * 4;
  const plane = planeFloats(paddedChannels(image) * lanes) * 4;
  const parameters = { dy: "i32", planes: "i32", turned: "i32" } as const;
  return module.cached(
    name,
    () =>
      module.function(name, parameters, (f, { dy, planes, turned }) => {
        const middle = f.let(i32.add(turned, TURNED_BYTES));

        /** `fours` times 4 samples of `strips` times 4 channels, of which the last has `present`. */
        const block = (fours: number, strips: number, present: number) => {
          const pixel = fours * 4 * strips * 16;
          for (const r of range(row.outputs)) {
            for (const c of range(column.outputs)) {
              f.scope(() => {
                const from = f.let(i32.add(dy, (r * width + c) * pixelBytes(image)));
                const to = f.let(i32.add(turned, (r * TILE + c) * pixel));
                f.loop(fours, () => {
                  for (const strip of range(strips)) {
                    f.scope(() =>
                      turnBlock(f, from, to, strip, strips, strip < strips - 1 ? 4 : present)
                    );
                  }
                  f.bump(from, 16);
                  f.bump(to, 4 * strips * 16);
                });
              });
            }
          }
          const at = f.let(turned), to = f.let(planes);
          const offset = (r: number, c: number) =>
            r < row.outputs && c < column.outputs ? (r * TILE + c) * pixel : undefined;
          f.loop(fours * 4, () => {
            transformLines(
              f,
              outputGradientTransform,
              {
                from: { pointer: at, offset, rows: TILE, columns: TILE },
                ...{ middle, vectors: strips, points: POINTS },
              },
              [to],
              ([to], r, results) =>
                results.forEach((value, c) => f.store(to!, value, (r * POINTS + c) * plane)),
            );
            f.bump(at, strips * 16);
            f.bump(to, planeRow);
          });
        };

        /** All samples of `strips` times 4 channels. */
        const strip = (strips: number, present: number) => {
          const start = f.let(planes);
          for (const { size, count } of splitEvenly(lanes / 4, 4)) {
            f.loop(count, () => {
              block(size, strips, present);
              f.bump(dy, size * 16);
              f.bump(planes, size * 4 * planeRow);
            });
          }
          f.bump(dy, (strips * 4 * batch - lanes) * 4);
          f.set(planes, i32.add(start, strips * 16));
        };

        const last = channels % 16;
        f.loop(Math.floor(channels / 16), () => strip(4, 4));
        if (last > 0) f.scope(() => strip(Math.ceil(last / 4), (last - 1) % 4 + 1));
      }),
  );

  /** Turns 4 channels of 4 samples; `present` of the channels exist. */
  function turnBlock(
    f: FunctionBuilder,
    from: Local<"i32">,
    to: Local<"i32">,
    strip: number,
    strips: number,
    present: number,
  ): void {
    const own = range(4).map((i) =>
      i < present ? f.let(v128.load(from, (strip * 4 + i) * batch * 4)) : f32x4.const(0)
    );
    transpose4(f, own as [V128, V128, V128, V128]).forEach((sample, i) =>
      f.store(to, sample, (i * strips + strip) * 16)
    );
  }
}
