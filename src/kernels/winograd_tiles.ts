/**
 * How outputs are cut into tiles of 4 x 4, with exact bounds: what lies outside is neither stored
 * nor read. Tiles that see the same part of the source form a run and share their code.
 */
import type { FunctionBuilder, FunctionHandle } from "./emitter/function_builder.ts";
import { i32 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";
import { splitEvenly, type TileRun } from "./tiles.ts";
import { inputTransform, POINTS, TILE, transformLines } from "./winograd_transforms.ts";

/** Samples of a tile: what is read and written for one tile stays in the second-level cache. */
export const LANES = 32;
/** Floats between planes, so that the planes of a tile do not crowd a few sets of the cache. */
const PLANE_GAP = 32;

/** Tiles at `first`, `first + 1`, ... that have the same bounds. */
export interface TileSpan {
  readonly first: number;
  readonly count: number;
  /** The inputs low .. high - 1 of the six exist. */
  readonly low: number;
  readonly high: number;
  /** Outputs that exist, at most 4. */
  readonly outputs: number;
}

/** The tiles of one axis; `pad` zeros lie before the first input. */
export function tileSpans(inputs: number, outputs: number, pad: number): TileSpan[] {
  const spans: TileSpan[] = [];
  const within = (place: number) => Math.max(0, Math.min(POINTS, place));
  for (let first = 0; first * TILE < outputs; first++) {
    const origin = first * TILE - pad;
    const low = within(-origin);
    const bounds = {
      low,
      high: Math.max(low, within(inputs - origin)),
      outputs: Math.min(TILE, outputs - first * TILE),
    };
    const last = spans.at(-1);
    const same = last !== undefined && last.low === bounds.low && last.high === bounds.high &&
      last.outputs === bounds.outputs;
    if (same) spans[spans.length - 1] = { ...last, count: last.count + 1 };
    else spans.push({ first, count: 1, ...bounds });
  }
  return spans;
}

/** The samples of a batch in groups of nearly equal size, counted in samples. */
export function laneGroups(batch: number): TileRun[] {
  return splitEvenly(batch / 4, LANES / 4).map(({ size, count }) => ({ size: size * 4, count }));
}

/** Floats from one plane of `floats` to the next. */
export function planeFloats(floats: number): number {
  return Math.ceil(floats / 4) * 4 + PLANE_GAP;
}

/** An image of activations, [height][width][channels][batch]. */
export interface TiledImage {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly batch: number;
}

/** Bytes from one pixel of an image to the next. */
export function pixelBytes({ channels, batch }: TiledImage): number {
  return channels * batch * 4;
}

/** The bounds of a tile as text. */
export function spanKey({ low, high, outputs }: TileSpan): string {
  return `${low} ${high} ${outputs}`;
}

/** Where the first input that exists lies, from that of the first tile of a run, in pixels. */
export function firstInput({ first, low }: TileSpan, pad: number): number {
  return first * TILE - pad + low;
}

/** Runs `body` for each tile with pointers that advance in steps of tiles. */
export function eachTile(
  f: FunctionBuilder,
  rows: readonly TileSpan[],
  columns: readonly TileSpan[],
  images: readonly {
    readonly pointer: Local<"i32">;
    readonly image: TiledImage;
    /** The pixel of the image that belongs to the first tile of runs along each axis. */
    readonly firstRow: (span: TileSpan) => number;
    readonly firstColumn: (span: TileSpan) => number;
  }[],
  body: (pointers: Local<"i32">[], row: TileSpan, column: TileSpan) => void,
): void {
  for (const row of rows) {
    for (const column of columns) {
      f.scope(() => {
        const starts = images.map(({ pointer, image, firstRow, firstColumn }) => {
          const pixel = firstRow(row) * image.width + firstColumn(column);
          return f.let(i32.add(pointer, pixel * pixelBytes(image)));
        });
        f.loop(row.count, () => {
          const pointers = starts.map((start) => f.let(start));
          f.loop(column.count, () => {
            body(pointers, row, column);
            images.forEach(({ image }, i) => f.bump(pointers[i]!, TILE * pixelBytes(image)));
          });
          images.forEach(({ image }, i) =>
            f.bump(starts[i]!, TILE * image.width * pixelBytes(image))
          );
        });
      });
    }
  }
}

/** A function (source, planes, middle) that writes the 36 planes [channels][lanes] of a tile. */
export function inputTileFunction(
  module: ModuleBuilder,
  image: TiledImage,
  lanes: number,
  row: TileSpan,
  column: TileSpan,
): FunctionHandle {
  const { width, channels, batch } = image;
  const name = `winograd input ${[width, channels, batch, lanes]}: ${spanKey(row)}, ${
    spanKey(column)
  }`;
  const plane = planeFloats(channels * lanes) * 4;
  const offset = (r: number, c: number) => {
    const exists = r >= row.low && r < row.high && c >= column.low && c < column.high;
    return exists ? ((r - row.low) * width + c - column.low) * pixelBytes(image) : undefined;
  };
  const parameters = { source: "i32", planes: "i32", middle: "i32" } as const;
  return module.cached(
    name,
    () =>
      module.function(name, parameters, (f, { source, planes, middle }) => {
        const from = { pointer: source, offset, rows: POINTS, columns: POINTS };
        const vectors = lanes / 4;
        f.loop(channels, () => {
          transformLines(
            f,
            inputTransform,
            { from, middle, vectors, points: POINTS },
            [planes],
            ([to], r, results) =>
              results.forEach((value, c) => f.store(to!, value, (r * POINTS + c) * plane)),
          );
          f.bump(source, batch * 4);
          f.bump(planes, lanes * 4);
        });
      }),
  );
}

/** Bytes of `middle` for tiles of activations. */
export function middleBytes(lanes: number): number {
  return POINTS * POINTS * lanes * 4;
}
