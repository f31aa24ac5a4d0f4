/**
 * Matrix product as `gemm`, by panels of 16 columns that are copied to the workbench of the module:
 * 2 m n k FLOP, the bits of the plain loops. See `panel_tile.ts` for why, and for the register tile.
 *
 * Column by column of panels, a block of depth after the other: a panel is copied, and meets all
 * strips of A. Between blocks the sums wait in scratch.
 */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { I32, Local } from "./emitter/value.ts";
import { epilogueKey, epilogueOperands, storeResult } from "./epilogue.ts";
import type { GemmShape } from "./gemm.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { packPanel } from "./pack_panel.ts";
import {
  PANEL_DEPTH,
  PANEL_VECTORS,
  panelPlace,
  panelTile,
  stripRows,
  sumPlace,
} from "./panel_tile.ts";
import { range, splitEvenly } from "./tiles.ts";

/** With fewer rows or columns a panel is not read often enough, or has no pairs of vectors. */
const LEAST_ROWS = 6;
const LEAST_COLUMNS = 8;
/** Smaller products take less time than their longer code takes to compile, unless done often. */
const LEAST_MULTIPLICATIONS = 2 ** 20;

/** Whether a product is faster by panels. */
export function panelsPay(
  { workbench }: ModuleBuilder,
  { m, n, k, aBlocks, often = m * n * k >= LEAST_MULTIPLICATIONS }: GemmShape,
): boolean {
  const fits = m >= LEAST_ROWS && n >= LEAST_COLUMNS && (aBlocks === undefined || k <= PANEL_DEPTH);
  return workbench !== undefined && fits && often;
}

/**
 * Operands `a`, `b`, `c`, then those of the epilogue, then `scratch` if `scratchBytes` is not 0.
 *
 * @param scalesPanels whether a scale that is an operand multiplies B, not the sums
 */
export function panelProduct(
  module: ModuleBuilder,
  shape: GemmShape,
  scalesPanels: boolean,
): Kernel {
  const { m, n, k, aRow, aDepth, bDepth, cRow, epilogue = {}, aBlocks } = shape;
  const waits = k > PANEL_DEPTH;
  return defineKernel(module, {
    key: `panel product ${[m, n, k, aRow, aDepth, bDepth, cRow, scalesPanels]} ${
      epilogueKey(epilogue)
    } ${JSON.stringify(aBlocks ?? null)} at ${panelPlace(module)}`,
    params: [
      ...["a" as const, "b" as const, "c" as const],
      ...epilogueOperands(epilogue),
      ...(waits ? ["scratch" as const] : []),
    ],
    flops: 2 * m * n * k,
    scratchBytes: waits ? m * PANEL_VECTORS * 16 : 0,
    build(f, args) {
      const scale = args.scale === undefined ? undefined : f.let(v128.load32Splat(args.scale));
      const panelScale = scalesPanels ? scale : undefined;
      const rest = panelScale === undefined ? epilogue : { ...epilogue, scale: 1 };
      const { b, c, mask } = args;
      const bias = epilogue.bias === "column" ? args.bias : undefined;
      const columns = Math.ceil(n / 4);
      const whole = Math.floor(columns / PANEL_VECTORS);
      const last = columns - whole * PANEL_VECTORS;
      const hasPart = n % 4 > 0;
      const panels = (vectors: number, count: number, lastLanes: number) =>
        f.loop(count, () => {
          panel(vectors, lastLanes);
          for (const pointer of [b, c, mask, bias]) {
            if (pointer !== undefined) f.bump(pointer, vectors * 16);
          }
        });
      const lastLanes = hasPart ? n % 4 : 4;
      panels(PANEL_VECTORS, hasPart && last === 0 ? whole - 1 : whole, 4);
      if (hasPart && last === 0) panels(PANEL_VECTORS, 1, lastLanes);
      if (last > 0) panels(last, 1, lastLanes);

      /** All rows of some columns, from where the pointers are. */
      function panel(vectors: number, lastLanes: number): void {
        const gaps = gapsOf(shape);
        const a = f.let(args.a), from = f.let(b);
        const sums = range(stripRows(module) * vectors);
        const place = (i: number) => sumPlace(module, vectors, 0, i);
        const start = i32.const(0);
        if (waits) f.memoryFill(args.scratch, 0, m * vectors * 16);
        for (const { size: depth, count } of splitEvenly(k, PANEL_DEPTH)) {
          f.loop(count, () => {
            packPanel(
              f,
              from,
              f.let(i32.const(panelPlace(module))),
              depth,
              bDepth,
              vectors,
              panelScale,
            );
            f.bump(from, depth * bDepth * 4);
            const strip = f.let(a);
            const waiting = waits ? f.let(args.scratch) : undefined;
            const to = waits ? undefined : copyOf(f, { c, mask, bias: args.bias });
            for (const { size: rows, count } of splitEvenly(m, stripRows(module))) {
              const tile = panelTile(module, { rows, vectors, depth, aRow, aDepth, gaps });
              const own = sums.slice(0, rows * vectors);
              f.loop(count, () => {
                for (const i of own) {
                  const sum = waiting === undefined ? f.floats(0) : v128.load(waiting, i * 16);
                  f.store(start, sum, place(i));
                }
                f.call(tile, strip);
                f.bump(strip, rows * aRow * 4);
                if (waiting !== undefined) {
                  for (const i of own) f.store(waiting, v128.load(start, place(i)), i * 16);
                  f.bump(waiting, own.length * 16);
                }
                if (to !== undefined) {
                  storeStrip(
                    to,
                    rows,
                    vectors,
                    lastLanes,
                    i32.const(0),
                    sumPlace(module, vectors, 0, 0),
                  );
                }
              });
            }
            f.bump(a, depth * aDepth * 4);
          });
        }
        if (!waits) return;
        const to = copyOf(f, { c, mask, bias: args.bias });
        const waiting = f.let(args.scratch);
        for (const { size: rows, count } of splitEvenly(m, stripRows(module))) {
          f.loop(count, () => {
            storeStrip(to, rows, vectors, lastLanes, waiting, 0);
            f.bump(waiting, rows * vectors * 16);
          });
        }
      }

      /** Stores the results of a strip and goes on to the next. */
      function storeStrip(
        to: Targets,
        rows: number,
        vectors: number,
        lastLanes: number,
        sums: I32,
        offset: number,
      ): void {
        for (const r of range(rows)) {
          const rowBias = to.bias !== undefined && epilogue.bias === "row"
            ? f.let(v128.load32Splat(to.bias, r * 4))
            : undefined;
          for (const v of range(vectors)) {
            const bias = rowBias ?? (to.bias && v128.load(to.bias, v * 16));
            storeResult(f, rest, v128.load(sums, offset + (r * vectors + v) * 16), {
              ...{ c: to.c, mask: to.mask, bias, scale: scalesPanels ? undefined : scale },
              offset: r * cRow * 4 + v * 16,
              lanes: v === vectors - 1 ? lastLanes : 4,
            });
          }
        }
        f.bump(to.c, rows * cRow * 4);
        if (to.mask !== undefined) f.bump(to.mask, rows * cRow * 4);
        if (to.bias !== undefined && epilogue.bias === "row") f.bump(to.bias, rows * 4);
      }
    },
  });
}

/** Where the results of a strip go and what they meet there. */
interface Targets {
  readonly c: Local<"i32">;
  readonly mask: Local<"i32"> | undefined;
  readonly bias: Local<"i32"> | undefined;
}

/** The same places in locals of their own. */
function copyOf(f: FunctionBuilder, { c, mask, bias }: Targets): Targets {
  return { c: f.let(c), mask: mask && f.let(mask), bias: bias && f.let(bias) };
}

/** Where A's blocks end, and what lies between them. */
function gapsOf({ k, aDepth, aBlocks }: GemmShape): ReadonlyMap<number, number> {
  if (aBlocks === undefined) return new Map();
  const { count, stride } = aBlocks;
  const own = k / count;
  return new Map(range(count - 1).map((i) => [(i + 1) * own, stride - own * aDepth]));
}
