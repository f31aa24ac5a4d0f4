/**
 * The transforms of Winograd's convolution F(4 x 4, 3 x 3): 16 outputs of a 3 x 3 kernel from 36
 * products instead of 144, at the points 0, 1, -1, 2, -2 and infinity. Each is a small matrix
 * applied to the columns, then to the rows, of a square of vectors.
 */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32x4, v128 } from "./emitter/instructions.ts";
import type { Local, V128 } from "./emitter/value.ts";
import { range } from "./tiles.ts";

/** Outputs of a tile along one axis. */
export const TILE = 4;
/** Inputs of a tile along one axis, and points at which products are taken. */
export const POINTS = 6;
/** Vectors written out one after the other. */
const UNROLL = 2;
/** Products of a tile. */
export const PLANES = POINTS * POINTS;

/** What lies outside. */
const NOTHING: V128 = f32x4.const(0);

/** A matrix as code: from one column of vectors to another. */
export type Transform = (f: FunctionBuilder, column: readonly V128[]) => V128[];

/** `transform` applied to the columns, then the rows, of `square[row][column]`. */
export function transform2d(
  f: FunctionBuilder,
  transform: Transform,
  square: readonly (readonly V128[])[],
): V128[][] {
  const apply = (columns: readonly (readonly V128[])[]) =>
    columns.map((column) => transform(f, column));
  return apply(transposed(apply(transposed(square))));
}

function transposed(square: readonly (readonly V128[])[]): V128[][] {
  return range(square[0]!.length).map((column) => square.map((row) => row[column]!));
}

/** A square whose elements are lines of neighbouring vectors. */
export interface SquareOfLines {
  readonly pointer: Local<"i32">;
  /** The bytes from the pointer to a line, or undefined if it does not exist and counts as 0. */
  readonly offset: (row: number, column: number) => number | undefined;
  readonly rows: number;
  readonly columns: number;
}

/**
 * Runs `body` for each vector of the lines with the results of one row after the other, once
 * `transform` has been applied to the columns and the rows. Lines that lie a power of two apart
 * share a set of the first-level cache, so a column at a time is read whole: its results wait in
 * `middle`, which holds `points` x `columns` lines.
 */
export function transformLines(
  f: FunctionBuilder,
  transform: Transform,
  { from, middle, vectors, points }: {
    readonly from: SquareOfLines;
    readonly middle: Local<"i32">;
    /** Vectors of a line. */
    readonly vectors: number;
    /** Results of one transform. */
    readonly points: number;
  },
  targets: readonly Local<"i32">[],
  body: (targets: readonly Local<"i32">[], row: number, results: readonly V128[]) => void,
  advance: (targets: readonly Local<"i32">[]) => void = (own) =>
    own.forEach((pointer) => f.bump(pointer, 16)),
): void {
  const place = (row: number, column: number) => (row * from.columns + column) * vectors * 16;
  const load = (pointer: Local<"i32">, offset: number | undefined) =>
    offset === undefined ? NOTHING : f.let(v128.load(pointer, offset));
  const exists = range(from.columns).map((column) =>
    range(from.rows).some((row) => from.offset(row, column) !== undefined)
  );
  for (const column of range(from.columns).filter((column) => exists[column])) {
    f.scope(() => {
      const at = f.let(from.pointer), to = f.let(middle);
      f.unrolledLoop(vectors, UNROLL, () => {
        const own = range(from.rows).map((row) => load(at, from.offset(row, column)));
        transform(f, own).forEach((value, row) => f.store(to, value, place(row, column)));
        f.bump(at, 16);
        f.bump(to, 16);
      });
    });
  }
  for (const row of range(points)) {
    f.scope(() => {
      const at = f.let(middle), own = targets.map((target) => f.let(target));
      f.unrolledLoop(vectors, UNROLL, () => {
        const lines = exists.map((has, column) => load(at, has ? place(row, column) : undefined));
        body(own, row, transform(f, lines));
        f.bump(at, 16);
        advance(own);
      });
    });
  }
}

/** `a * factor + b`, kept in a local. */
function scaled(f: FunctionBuilder, a: V128, factor: number, b: V128): V128 {
  return f.let(f.multiplyAdd(a, f.floats(factor), b));
}

function sum(f: FunctionBuilder, a: V128, b: V128): V128 {
  return f.let(f32x4.add(a, b));
}

function difference(f: FunctionBuilder, a: V128, b: V128): V128 {
  return f.let(f32x4.sub(a, b));
}

/** Six inputs at the six points. */
export function inputTransform(f: FunctionBuilder, column: readonly V128[]): V128[] {
  const [d0, d1, d2, d3, d4, d5] = column as [V128, V128, V128, V128, V128, V128];
  const even = scaled(f, d2, -4, d4), odd = scaled(f, d1, -4, d3);
  const even2 = difference(f, d4, d2), odd2 = difference(f, d3, d1);
  return [
    scaled(f, d0, 4, scaled(f, d2, -5, d4)),
    sum(f, even, odd),
    difference(f, even, odd),
    scaled(f, odd2, 2, even2),
    scaled(f, odd2, -2, even2),
    scaled(f, d1, 4, scaled(f, d3, -5, d5)),
  ];
}

/** Four outputs from the products at the six points. */
export function outputTransform(f: FunctionBuilder, column: readonly V128[]): V128[] {
  const [m0, m1, m2, m3, m4, m5] = column as [V128, V128, V128, V128, V128, V128];
  const even = sum(f, m1, m2), odd = difference(f, m1, m2);
  const even2 = sum(f, m3, m4), odd2 = difference(f, m3, m4);
  return [
    sum(f, sum(f, m0, even), even2),
    scaled(f, odd2, 2, odd),
    scaled(f, even2, 4, even),
    sum(f, scaled(f, odd2, 8, odd), m5),
  ];
}

/** The way back through `outputTransform`: gradients of four outputs at the six points. */
export function outputGradientTransform(f: FunctionBuilder, column: readonly V128[]): V128[] {
  const [y0, y1, y2, y3] = column as [V128, V128, V128, V128];
  const even = sum(f, y0, y2), odd = sum(f, y1, y3);
  const even2 = scaled(f, y2, 4, y0), odd2 = scaled(f, y3, 4, y1);
  return [
    y0,
    sum(f, even, odd),
    difference(f, even, odd),
    scaled(f, odd2, 2, even2),
    scaled(f, odd2, -2, even2),
    y3,
  ];
}

/** Three weights at the six points. */
export function weightTransform(f: FunctionBuilder, column: readonly V128[]): V128[] {
  const [g0, g1, g2] = column as [V128, V128, V128];
  const times = (a: V128, factor: number) => f.let(f32x4.mul(a, f.floats(factor)));
  const outer = times(f32x4.add(g0, g2), -1 / 6);
  const outer2 = scaled(f, g0, 1 / 24, times(g2, 1 / 6));
  return [
    times(g0, 1 / 4),
    scaled(f, g1, -1 / 6, outer),
    scaled(f, g1, 1 / 6, outer),
    scaled(f, g1, 1 / 12, outer2),
    scaled(f, g1, -1 / 12, outer2),
    g2,
  ];
}

/** The way back through `weightTransform`: gradients of three weights. */
export function weightGradientTransform(f: FunctionBuilder, column: readonly V128[]): V128[] {
  const [u0, u1, u2, u3, u4, u5] = column as [V128, V128, V128, V128, V128, V128];
  const even = sum(f, u1, u2), odd = difference(f, u2, u1);
  const even2 = sum(f, u3, u4), odd2 = difference(f, u3, u4);
  const sixth = f.floats(1 / 6);
  return [
    scaled(f, u0, 1 / 4, scaled(f, even, -1 / 6, f32x4.mul(even2, f.floats(1 / 24)))),
    scaled(f, odd2, 1 / 12, f32x4.mul(odd, sixth)),
    scaled(f, difference(f, even2, even), 1 / 6, u5),
  ];
}
