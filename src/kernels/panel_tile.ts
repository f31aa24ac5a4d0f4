/**
 * The innermost part of a product, C += A * B for a strip of A's rows and a panel of B's columns:
 * 2 * rows * 16 * depth FLOP.
 *
 * Panel and sums lie at constant addresses, the workbench of the module. V8 checks the bounds of all
 * other accesses, each apart, and a check between two accesses keeps it from joining them; so what
 * is here works on pairs of neighbouring vectors, in 256-bit registers where the processor has
 * them. As a constant address cannot advance, the depth is written out without a loop.
 *
 * Register tile: 6 rows x 4 vectors, as pairs 12 sums, 2 of B, 1 of A = the 15 registers there are (5
 * rows without fused multiply-add, as the product needs one too). Fewer sums would wait for each other:
 * an addition takes 4 cycles, in which 8 could begin. 83 of 85 GFLOP/s; with 128-bit vectors, 43.
 */
import type { FunctionBuilder, FunctionHandle } from "./emitter/function_builder.ts";
import { i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";
import { splatRows } from "./splat_rows.ts";
import { range, splitEvenly, type TileRun } from "./tiles.ts";

/** Vectors of a panel, at most. */
export const PANEL_VECTORS = 4;
/** As many where they are not joined: 12 sums, 2 of B, 1 of A fill the registers too. */
const SINGLE_VECTORS = 2;
/** Rows of a panel, at most: the code for more would not stay in the processor's cache of it. */
export const PANEL_DEPTH = 64;
/** Smaller convolutions take less time than their longer code takes to compile. */
export const LEAST_CONVOLUTION_FLOPS = 2 ** 21;
const MOST_ROWS = 6;

const SUMS_AT = PANEL_DEPTH * PANEL_VECTORS * 16;
/** Bytes of a module's workbench. */
export const WORKBENCH_BYTES = SUMS_AT + MOST_ROWS * PANEL_VECTORS * 16;

/** A strip and a panel. */
export interface PanelTileShape {
  readonly rows: number;
  readonly vectors: number;
  /** Rows of the panel, at most {@link PANEL_DEPTH}. */
  readonly depth: number;
  /** Floats from A(m, k) to A(m + 1, k). */
  readonly aRow: number;
  /** Floats from A(m, k) to A(m, k + 1). */
  readonly aDepth: number;
  /** Where else A goes on: behind so many columns, floats that are skipped. @default nowhere */
  readonly gaps?: ReadonlyMap<number, number>;
}

/** Most rows of a strip. */
export function stripRows(module: ModuleBuilder): number {
  return module.arithmetic === "fused" ? MOST_ROWS : MOST_ROWS - 1;
}

/** Cuts rows into strips: of one size where there is one about as fast, as each size has its code. */
export function stripsOf(module: ModuleBuilder, rows: number): TileRun[] {
  const most = stripRows(module);
  const size = [most, most - 1].find((size) => rows % size === 0);
  return size === undefined ? splitEvenly(rows, most) : [{ size, count: rows / size }];
}

/** Cuts a depth into blocks that panels hold: of one size where it takes few more of them. */
export function depthsOf(depth: number): TileRun[] {
  const least = Math.ceil(depth / PANEL_DEPTH);
  const blocks = range(Math.floor(least / 4) + 1).map((more) => least + more)
    .find((blocks) => depth % blocks === 0);
  return blocks === undefined
    ? splitEvenly(depth, PANEL_DEPTH)
    : [{ size: depth / blocks, count: blocks }];
}

/** Where the sums lie, [rows][vectors]. */
export function sumsPlace(module: ModuleBuilder): number {
  return panelPlace(module) + SUMS_AT;
}

/** Where the panel lies, [depth][vectors]. */
export function panelPlace({ workbench }: ModuleBuilder): number {
  if (workbench === undefined) throw new TypeError("Cannot use panels without a workbench");
  return workbench;
}

/** So many panels of one width, one after the other. */
export interface Panels {
  readonly vectors: number;
  /** Columns of the last vector that exist. */
  readonly lastLanes: number;
  readonly count: number;
}

/** Cuts columns into panels. */
export function panelsOf({ isWide }: ModuleBuilder, n: number): Panels[] {
  const most = isWide ? PANEL_VECTORS : SINGLE_VECTORS;
  const vectors = Math.ceil(n / 4);
  const lastLanes = n - (vectors - 1) * 4;
  const last = (vectors - 1) % most + 1;
  const whole = (vectors - last) / most;
  return last === most && lastLanes === 4
    ? [{ vectors: last, lastLanes, count: whole + 1 }]
    : [{ vectors: most, lastLanes: 4, count: whole }, { vectors: last, lastLanes, count: 1 }];
}

/** Adds the product of the strip of A that begins at an address and the panel to the sums. */
export function addProduct(
  f: FunctionBuilder,
  module: ModuleBuilder,
  shape: PanelTileShape,
  a: Local<"i32">,
): void {
  const gaps = [...shape.gaps ?? []];
  const lengths = [...new Set(gaps.map(([, length]) => length))];
  const places = gaps.map(([k, length]) => [k, lengths.indexOf(length)] as const);
  const tile = panelTile(module, shape, new Map(places), lengths.length);
  f.call(tile, a, ...[shape.aDepth, ...lengths].map((floats) => floats * 4));
}

/**
 * A function of the strip's address, and of the bytes from a column of A to the next and over each
 * length of gap: layers that differ in these alone share its code.
 *
 * @param gaps which of so many `lengths` lies before a column
 */
function panelTile(
  module: ModuleBuilder,
  { rows, vectors, depth, aRow }: PanelTileShape,
  gaps: ReadonlyMap<number, number>,
  lengths: number,
): FunctionHandle {
  const panel = panelPlace(module);
  const name = `panel tile ${[rows, vectors, depth, aRow]} ${[...gaps]} at ${panel}`;
  const parameters = Object.fromEntries(
    ["a", "next", ...range(lengths).map((i) => `gap ${i}`)].map((name) => [name, "i32" as const]),
  ) as Record<string, "i32">;
  return module.cached(name, () =>
    module.function(name, parameters, (f, args) => {
      const start = i32.const(0);
      const place = (r: number, v: number) => sumsPlace(module) + (r * vectors + v) * 16;
      const sums = range(rows).map((r) =>
        range(vectors).map((v) => f.let(v128.load(start, place(r, v))))
      );
      const a = splatRows(f, args["a"]!, rows, aRow * 4);
      const columns: Local<"v128">[] = range(vectors).map(() => f.local("v128"));
      f.writeOut(depth, (k) => {
        const gap = gaps.get(k);
        if (gap !== undefined) a.advance(args[`gap ${gap}`]!);
        f.setFrom(panel + k * vectors * 16, columns);
      }, () => {
        for (const [r, row] of sums.entries()) {
          const factor = f.let(a.load(r));
          for (const [v, sum] of row.entries()) f.accumulate(sum, factor, columns[v]!);
        }
        a.advance(args["next"]!);
      });
      for (const [r, row] of sums.entries()) {
        for (const [v, sum] of row.entries()) f.store(start, sum, place(r, v));
      }
    }));
}
