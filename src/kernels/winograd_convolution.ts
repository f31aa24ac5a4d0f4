/**
 * Convolution with 3 x 3 kernels by Winograd's F(4 x 4, 3 x 3), forward and for the input's
 * gradient, which is a convolution with the kernel turned about. Tile by tile: 36 planes of the
 * source, a matrix product for each (weights x source, by `gemm`), and the outputs from those. A
 * quarter of the multiplications of the plain sum and about six times its rounding error: below a
 * hundred-thousandth of the largest output. An infinite input makes its whole tile NaN.
 */
import type { Conv2dShape } from "./conv2d_shape.ts";
import { conv2dAxes } from "./conv2d_shape.ts";
import { flopsOf, forwardTaps } from "./conv_taps.ts";
import type { FunctionBuilder, FunctionHandle } from "./emitter/function_builder.ts";
import { i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";
import { type Epilogue, epilogueKey, epilogueOperands, storeResult } from "./epilogue.ts";
import { gemm } from "./gemm.ts";
import { callKernel, defineKernel, type Kernel } from "./kernel.ts";
import { range } from "./tiles.ts";
import {
  eachTile,
  firstInput,
  inputTileFunction,
  laneGroups,
  middleBytes,
  pixelBytes,
  planeFloats,
  type TiledImage,
  type TileSpan,
  tileSpans,
} from "./winograd_tiles.ts";
import {
  outputTransform,
  PLANES,
  POINTS,
  TILE,
  transform2d,
  transformLines,
  weightTransform,
} from "./winograd_transforms.ts";

/** Fewer channels do not pay for the transforms. */
const LEAST_CHANNELS = 8;
/** What the transforms cost beside the products, at most. */
const TRANSFORM_COST = 1.6;

/** Whether a convolution can be done by tiles and is faster so. */
export function winogradPays(shape: Conv2dShape): boolean {
  const { rows, columns } = conv2dAxes(shape);
  const fits = [rows, columns].every(({ kernel, stride, dilation }) =>
    kernel === 3 && stride === 1 && dilation === 1
  );
  if (!fits || Math.min(shape.inputChannels, shape.outputChannels) < LEAST_CHANNELS) return false;
  const tiles = (outputs: number) => Math.ceil(outputs / TILE);
  const products = PLANES * Math.max(
    tiles(rows.output) * tiles(columns.output),
    tiles(rows.input) * tiles(columns.input),
  );
  return products * TRANSFORM_COST < forwardTaps(rows).pairs * forwardTaps(columns).pairs;
}

/** As `conv2dForward` for kernels of 3 x 3, then operand `scratch`. */
export function winogradForward(
  module: ModuleBuilder,
  shape: Conv2dShape,
  epilogue: Epilogue = {},
): Kernel {
  const { batch, inputChannels, outputChannels } = shape;
  const { rows, columns } = conv2dAxes(shape);
  return tiledConvolution(module, {
    ...{ name: "winograd forward", sourceName: "x", resultName: "y", epilogue },
    source: { height: rows.input, width: columns.input, channels: inputChannels, batch },
    result: { height: rows.output, width: columns.output, channels: outputChannels, batch },
    ...{ padTop: rows.pad, padLeft: columns.pad, turned: false },
    flops: flopsOf(shape),
  });
}

/** As `conv2dInputGradient` for kernels of 3 x 3, then operand `scratch`. */
export function winogradInputGradient(
  module: ModuleBuilder,
  shape: Conv2dShape,
  epilogue: Epilogue = {},
): Kernel {
  const { batch, inputChannels, outputChannels } = shape;
  const { rows, columns } = conv2dAxes(shape);
  return tiledConvolution(module, {
    ...{ name: "winograd input gradient", sourceName: "dy", resultName: "dx", epilogue },
    source: { height: rows.output, width: columns.output, channels: outputChannels, batch },
    result: { height: rows.input, width: columns.input, channels: inputChannels, batch },
    ...{ padTop: 2 - rows.pad, padLeft: 2 - columns.pad, turned: true },
    flops: flopsOf(shape),
  });
}

interface TiledConvolution {
  readonly name: string;
  readonly sourceName: string;
  readonly resultName: string;
  readonly source: TiledImage;
  readonly result: TiledImage;
  /** Zeros above and left of the source; may be negative. */
  readonly padTop: number;
  readonly padLeft: number;
  /** Whether the kernel is turned about and its channels lead from result to source. */
  readonly turned: boolean;
  readonly epilogue: Epilogue;
  readonly flops: number;
}

function tiledConvolution(module: ModuleBuilder, convolution: TiledConvolution): Kernel {
  const { name, sourceName, resultName, source, result, padTop, padLeft, turned } = convolution;
  const { epilogue, flops } = convolution;
  const rows = tileSpans(source.height, result.height, padTop);
  const columns = tileSpans(source.width, result.width, padLeft);
  const own = epilogueOperands(epilogue);
  const weights = source.channels * result.channels;
  const lanesLimit = Math.max(...laneGroups(source.batch).map(({ size }) => size));
  const weightBytes = planeFloats(weights) * 4 * PLANES;
  const sourceBytes = planeFloats(source.channels * lanesLimit) * 4 * PLANES;
  const productBytes = planeFloats(result.channels * lanesLimit) * 4 * PLANES;
  const tileProducts = new Map(
    laneGroups(source.batch).map(({ size }) => [size, tileProduct(size)]),
  );
  const sumBytes = Math.max(...[...tileProducts.values()].map(({ scratchBytes }) => scratchBytes));
  return defineKernel(module, {
    key: `${name} ${JSON.stringify([source, result, padTop, padLeft])} ${
      epilogueKey(epilogue)
    } at ${module.workbench}`,
    params: [sourceName, "w", resultName, ...own, "scratch"] as string[],
    flops,
    scratchBytes: weightBytes + sourceBytes + productBytes + sumBytes + middleBytes(lanesLimit),
    build(f, args) {
      const scratch = args["scratch"]!;
      f.call(weightFunction(module, weights, turned), args["w"]!, scratch);
      const planes = f.let(i32.add(scratch, weightBytes));
      const products = f.let(i32.add(planes, sourceBytes));
      const sums = f.let(i32.add(products, productBytes));
      const middle = f.let(i32.add(sums, sumBytes));
      const images = [args[sourceName]!, args[resultName]!, args["mask"]]
        .filter((pointer) => pointer !== undefined);
      for (const { size, count } of laneGroups(source.batch)) {
        f.loop(count, () => {
          eachTile(
            f,
            rows,
            columns,
            images.map((pointer, i) => ({
              pointer,
              image: i === 0 ? source : result,
              firstRow: (span) => i === 0 ? firstInput(span, padTop) : span.first * TILE,
              firstColumn: (span) => i === 0 ? firstInput(span, padLeft) : span.first * TILE,
            })),
            ([from, to, mask], row, column) => {
              f.call(inputTileFunction(module, source, size, row, column), from!, planes, middle);
              multiply(f, size, { scratch, planes, products, sums });
              const output = outputFunction(module, result, size, row, column, epilogue);
              const named = { bias: args["bias"], mask, scale: args["scale"] };
              f.call(output, products, to!, middle, ...own.map((name) => named[name]!));
            },
          );
          for (const pointer of images) f.bump(pointer, size * 4);
        });
      }
    },
  });

  /** The product of a plane of weights and one of the source. */
  function tileProduct(lanes: number): Kernel {
    return gemm(module, {
      ...{ m: result.channels, n: lanes, k: source.channels, bDepth: lanes, cRow: lanes },
      ...(turned ? { aRow: source.channels, aDepth: 1 } : { aRow: 1, aDepth: result.channels }),
      ...{ pack: false, byPanels: true },
    });
  }

  /** The products of all planes of weights and source. */
  function multiply(
    f: FunctionBuilder,
    lanes: number,
    at: Record<"scratch" | "planes" | "products" | "sums", Local<"i32">>,
  ): void {
    const a = f.let(at.scratch), b = f.let(at.planes), c = f.let(at.products);
    f.loop(PLANES, () => {
      callKernel(f, tileProducts.get(lanes)!, { a, b, c, scratch: at.sums });
      f.bump(a, planeFloats(weights) * 4);
      f.bump(b, planeFloats(source.channels * lanes) * 4);
      f.bump(c, planeFloats(result.channels * lanes) * 4);
    });
  }
}

/** A function (w, planes) that writes the 36 planes of weights, each laid out as one tap of w. */
function weightFunction(module: ModuleBuilder, weights: number, turned: boolean): FunctionHandle {
  const name = `winograd weights ${weights}${turned ? ", turned" : ""}`;
  const plane = planeFloats(weights) * 4;
  return module.cached(
    name,
    () =>
      module.function(name, { w: "i32", planes: "i32" }, (f, { w, planes }) => {
        // The last vector may reach behind the weights: that is not used.
        f.loop(Math.ceil(weights / 4), () => {
          const taps = range(3).map((ky) =>
            range(3).map((kx) => {
              const tap = turned ? 8 - (ky * 3 + kx) : ky * 3 + kx;
              return f.let(v128.load(w, tap * weights * 4));
            })
          );
          const points = transform2d(f, weightTransform, taps).flat();
          points.forEach((value, i) => f.store(planes, value, i * plane));
          f.bump(w, 16);
          f.bump(planes, 16);
        });
      }),
  );
}

/** A function (products, result, middle, epilogue's operands...) that stores the outputs of a tile. */
function outputFunction(
  module: ModuleBuilder,
  image: TiledImage,
  lanes: number,
  row: TileSpan,
  column: TileSpan,
  epilogue: Epilogue,
): FunctionHandle {
  const { width, channels, batch } = image;
  const name = `winograd output ${[
    width,
    channels,
    batch,
    lanes,
  ]}: ${row.outputs}, ${column.outputs} ${epilogueKey(epilogue)}`;
  const params = Object.fromEntries(
    ["products", "to", "middle", ...epilogueOperands(epilogue)].map((
      name,
    ) => [name, "i32" as const]),
  ) as Record<string, "i32">;
  const plane = planeFloats(channels * lanes) * 4;
  const offset = (r: number, c: number) => (r * POINTS + c) * plane;
  return module.cached(name, () =>
    module.function(name, params, (f, args) => {
      const { bias: biases, mask } = args;
      const products = args["products"]!, to = args["to"]!;
      const scale = args["scale"] && f.let(v128.load32Splat(args["scale"]));
      const targets = mask === undefined ? [to] : [to, mask];
      f.loop(channels, () => {
        const bias = biases && f.let(v128.load32Splat(biases));
        transformLines(
          f,
          outputTransform,
          {
            from: { pointer: products, offset, rows: POINTS, columns: POINTS },
            ...{ middle: args["middle"]!, vectors: lanes / 4, points: row.outputs },
          },
          targets,
          ([c, mask], r, results) => {
            for (const [x, value] of results.slice(0, column.outputs).entries()) {
              const offset = (r * width + x) * pixelBytes(image);
              storeResult(f, epilogue, value, { c: c!, offset, lanes: 4, mask, bias, scale });
            }
          },
        );
        f.bump(products, lanes * 4);
        for (const target of targets) f.bump(target, batch * 4);
        if (biases !== undefined) f.bump(biases, 4);
      });
    }));
}
