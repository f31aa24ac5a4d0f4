/**
 * The common core of a convolution forward and of its input gradient: each result gathers, over
 * source channels and taps, source * weight. 2 FLOP for each pair that exists.
 *
 * Register tile: 2 vectors of samples x 6 result channels (12 sums, 2 of the source, 1 weight in all
 * lanes), 5 channels without fused multiply-add. The two vectors are of one pixel, or of two
 * neighbouring ones if the batch has an odd number of them. Pointers advance for each term (each
 * distinct offset costs a bounds check); taps along the height are a loop whose length is an
 * argument, so that border rows share the code of the interior.
 */
import type { AxisTaps, TapRun } from "./conv_taps.ts";
import { paddedConvolution, paddingOf } from "./conv2d_padded.ts";
import { convolutionPanelsPay, gatherFlops, panelConvolution } from "./conv2d_panels.ts";
import type { FunctionBuilder, FunctionHandle } from "./emitter/function_builder.ts";
import { f32x4, i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";
import { type Epilogue, epilogueKey, epilogueOperands, storeResult } from "./epilogue.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { splatRows } from "./splat_rows.ts";
import { range, splitEvenly } from "./tiles.ts";

/** One gathering convolution; weight strides count floats. */
export interface GatherShape {
  readonly batch: number;
  /** Floats from one channel to the next. */
  readonly batchStride: number;
  readonly source: { readonly channels: number; readonly height: number; readonly width: number };
  readonly result: { readonly channels: number; readonly height: number; readonly width: number };
  readonly rows: AxisTaps;
  readonly columns: AxisTaps;
  /** From one kernel row, kernel column, source channel, result channel to the next. */
  readonly weights: {
    readonly row: number;
    readonly column: number;
    readonly source: number;
    readonly result: number;
  };
  /** Bias is one float a result channel: only `"row"`. */
  readonly epilogue: Epilogue;
  /** @default if it is large */
  readonly byPanels?: boolean | undefined;
}

/**
 * Operands `sourceName`, `w`, `resultName`, then those of the epilogue, then `scratch` if
 * `scratchBytes` is not 0.
 */
export function gatherConvolution<S extends string, R extends string>(
  module: ModuleBuilder,
  shape: GatherShape,
  { name, sourceName, resultName }: { name: string; sourceName: S; resultName: R },
): Kernel {
  if (convolutionPanelsPay(module, shape)) {
    const names = { name, sourceName, resultName }, padding = paddingOf(shape);
    return padding === null
      ? panelConvolution(module, shape, names)
      : paddedConvolution(module, shape, padding, names);
  }
  const { batch, batchStride, source, result, rows, columns, weights, epilogue } = shape;
  const key = `${name} ${
    JSON.stringify([batch, batchStride, source, result, rows, columns, weights])
  } ${epilogueKey(epilogue)}`;
  const own = epilogueOperands(epilogue);
  const lanes = batchStride * 4;
  const sourceRow = source.width * source.channels * lanes;
  const resultRow = result.width * result.channels * lanes;
  return defineKernel(module, {
    key,
    params: [sourceName, "w", resultName, ...own] as string[],
    flops: gatherFlops(shape),
    build(f, args) {
      const scale = args["scale"];
      const tiles = splitEvenly(result.channels, module.arithmetic === "fused" ? 6 : 5);
      for (const run of rows.runs) {
        const x = f.let(i32.add(args[sourceName]!, run.source * sourceRow));
        const offset = run.first * resultRow;
        const y = f.let(i32.add(args[resultName]!, offset));
        const mask = args["mask"] && f.let(i32.add(args["mask"], offset));
        f.loop(run.count, () => {
          const w = f.let(i32.add(args["w"]!, run.tap * weights.row * 4));
          const tileY = f.let(y);
          const tileMask = mask && f.let(mask);
          const bias = args["bias"] && f.let(args["bias"]);
          for (const { size, count } of tiles) {
            const row = rowFunction(module, key, shape, size, run.taps > 0);
            f.loop(count, () => {
              const optional = own.map((name) => ({ bias, mask: tileMask, scale })[name]!);
              f.call(row, x, w, tileY, run.taps, ...optional);
              f.bump(w, size * weights.result * 4);
              f.bump(tileY, size * lanes);
              if (tileMask !== undefined) f.bump(tileMask, size * lanes);
              if (bias !== undefined) f.bump(bias, size * 4);
            });
          }
          f.bump(x, rows.sourceStep * sourceRow);
          f.bump(y, rows.step * resultRow);
          if (mask !== undefined) f.bump(mask, rows.step * resultRow);
        });
      }
    },
  });
}

/** One result row of `size` channels, given the number of taps along the height. */
function rowFunction(
  module: ModuleBuilder,
  key: string,
  shape: GatherShape,
  size: number,
  reached: boolean,
): FunctionHandle {
  const { batch, columns, epilogue } = shape;
  const own = epilogueOperands(epilogue);
  const name = `row of ${size}${reached ? "" : " unreached"}: ${key}`;
  const params = Object.fromEntries(
    ["x", "w", "y", "taps", ...own].map((name) => [name, "i32" as const]),
  ) as Record<string, "i32">;
  const together = batch % 8 === 0 ? 1 : 2;
  const sourcePixel = shape.source.channels * shape.batchStride * 4;
  const resultPixel = shape.result.channels * shape.batchStride * 4;
  return module.cached(name, () =>
    module.function(name, params, (f, args) => {
      for (const run of columns.runs) {
        const at = {
          x: f.let(i32.add(args["x"]!, run.source * sourcePixel)),
          w: f.let(i32.add(args["w"]!, run.tap * shape.weights.column * 4)),
          y: f.let(i32.add(args["y"]!, run.first * resultPixel)),
          mask: args["mask"] && f.let(i32.add(args["mask"], run.first * resultPixel)),
          bias: args["bias"],
          scale: args["scale"],
          taps: args["taps"]!,
        };
        const advance = (source: number, result: number) => {
          f.bump(at.x, source);
          f.bump(at.y, result);
          if (at.mask !== undefined) f.bump(at.mask, result);
        };
        const next = {
          source: columns.sourceStep * sourcePixel,
          result: columns.step * resultPixel,
        };
        const pixels = (count: number) => {
          const second = together === 1 ? { source: 16, result: 16 } : next;
          const vectors = count === together ? [{ source: 0, result: 0 }, second] : [
            { source: 0, result: 0 },
          ];
          const bytes = together === 1 ? 32 : 16;
          f.loop(batch * 4 / bytes, () => {
            tile(f, shape, { size, vectors, run, reached: reached && run.taps > 0 }, at);
            advance(bytes, bytes);
          });
          advance(count * next.source - batch * 4, count * next.result - batch * 4);
        };
        f.loop(Math.floor(run.count / together), () => pixels(together));
        f.loop(run.count % together, () => pixels(1));
      }
    }));
}

/** Where a vector of a tile lies, in bytes from the tile's first. */
interface VectorPlace {
  readonly source: number;
  readonly result: number;
}

interface TilePointers {
  readonly x: Local<"i32">;
  readonly w: Local<"i32">;
  readonly y: Local<"i32">;
  readonly taps: Local<"i32">;
  readonly mask: Local<"i32"> | undefined;
  readonly bias: Local<"i32"> | undefined;
  readonly scale: Local<"i32"> | undefined;
}

function tile(
  f: FunctionBuilder,
  shape: GatherShape,
  { size, vectors, run, reached }: {
    readonly size: number;
    readonly vectors: readonly VectorPlace[];
    readonly run: TapRun;
    readonly reached: boolean;
  },
  at: TilePointers,
): void {
  const { batchStride, source, rows, columns, weights, epilogue } = shape;
  const sums = range(size).map(() => vectors.map(() => f.let(f32x4.const(0))));
  if (reached) {
    const lanes = batchStride * 4;
    const tapX = columns.tapSourceStep * source.channels * lanes;
    const tapW = columns.tapStep * weights.column * 4;
    const rowX = rows.tapSourceStep * source.width * source.channels * lanes;
    const rowW = rows.tapStep * weights.row * 4;
    // Neighbouring taps that follow each other in both operands are one long sum.
    const joined = tapX === source.channels * lanes &&
      tapW === source.channels * weights.source * 4;
    const x = f.let(at.x), w = f.let(at.w);
    const sum = (xAt: Local<"i32">, wAt: Local<"i32">, terms: number) => {
      const weight = splatRows(f, wAt, size, weights.result * 4);
      f.unrolledLoop(terms, 4, () => {
        const values = vectors.map(({ source }) => f.let(v128.load(xAt, source)));
        for (const [r, row] of sums.entries()) {
          const factor = f.let(weight.load(r));
          for (const [v, value] of values.entries()) f.accumulate(row[v]!, factor, value);
        }
        f.bump(xAt, lanes);
        weight.advance(weights.source * 4);
      });
    };
    f.repeat(at.taps, () => {
      const xRow = f.let(x), wRow = f.let(w);
      if (joined) sum(xRow, wRow, run.taps * source.channels);
      else {
        f.loop(run.taps, () => {
          sum(xRow, wRow, source.channels);
          f.bump(xRow, tapX - source.channels * lanes);
          f.bump(wRow, tapW);
        });
      }
      f.bump(x, rowX);
      f.bump(w, rowW);
    });
  }
  const scale = at.scale && f.let(v128.load32Splat(at.scale));
  for (const [r, sum] of sums.entries()) {
    const bias = at.bias && f.let(v128.load32Splat(at.bias, r * 4));
    for (const [v, value] of sum.entries()) {
      const place = {
        c: at.y,
        offset: r * batchStride * 4 + vectors[v]!.result,
        lanes: 4,
        mask: at.mask,
        bias,
        scale,
      };
      storeResult(f, epilogue, value, place);
    }
  }
}
