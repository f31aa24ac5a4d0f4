/**
 * Matrix product as `gemm`, by panels of 16 columns that are copied to the workbench of the module:
 * 2 m n k FLOP, the bits of the plain loops. See `panel_tile.ts` for why, and for the register tile.
 *
 * Column by column of panels, a block of depth after the other: a panel is copied, and meets all
 * strips of A. Between blocks the sums wait in scratch.
 */
import { i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import { epilogueKey, epilogueOperands } from "./epilogue.ts";
import type { GemmShape } from "./gemm.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { packPanel } from "./pack_panel.ts";
import { clearSums, copyTargets, keepSums, storeStrip, takeSums } from "./panel_sums.ts";
import {
  addProduct,
  depthsOf,
  PANEL_DEPTH,
  PANEL_VECTORS,
  panelPlace,
  panelsOf,
  stripsOf,
} from "./panel_tile.ts";
import { range } from "./tiles.ts";

/** With fewer rows or columns a panel is not read often enough, or has no pairs of vectors. */
const LEAST_ROWS = 6;
const LEAST_COLUMNS = 8;
/** Smaller products take less time than their longer code takes to compile, unless done often. */
const LEAST_MULTIPLICATIONS = 2 ** 21;

/** Whether a product, or one that it is a part of, has enough to do for panels. */
export function isLargeProduct({ m, n, k }: Pick<GemmShape, "m" | "n" | "k">): boolean {
  return m * n * k >= LEAST_MULTIPLICATIONS;
}

/** Whether a product is faster by panels. */
export function panelsPay({ isWide }: ModuleBuilder, shape: GemmShape): boolean {
  const { m, n, k, aBlocks, byPanels = isLargeProduct(shape) } = shape;
  const fits = m >= LEAST_ROWS && n >= LEAST_COLUMNS && (aBlocks === undefined || k <= PANEL_DEPTH);
  return isWide && fits && byPanels;
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
  const strips = stripsOf(module, m);
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
      for (const { vectors, lastLanes, count } of panelsOf(module, n)) {
        f.loop(count, () => {
          panel(vectors, lastLanes);
          for (const pointer of [b, c, mask, bias]) {
            if (pointer !== undefined) f.bump(pointer, vectors * 16);
          }
        });
      }

      /** All rows of some columns, from where the pointers are. */
      function panel(vectors: number, lastLanes: number): void {
        const store = {
          ...{ vectors, lastLanes, cRow, epilogue: rest },
          scale: scalesPanels ? undefined : scale,
        };
        const a = f.let(args.a), from = f.let(b);
        if (waits) f.memoryFill(args.scratch, 0, m * vectors * 16);
        for (const { size: depth, count } of depthsOf(k)) {
          f.loop(count, () => {
            const to = f.let(i32.const(panelPlace(module)));
            packPanel(f, from, to, depth, bDepth, vectors, panelScale);
            f.bump(from, depth * bDepth * 4);
            const strip = f.let(a);
            const kept = waits ? f.let(args.scratch) : undefined;
            const target = waits ? undefined : copyTargets(f, args);
            for (const { size: rows, count } of strips) {
              const own = { rows, vectors, depth, aRow, aDepth, gaps: gapsOf(shape) };
              f.loop(count, () => {
                if (kept === undefined) clearSums(f, module, { rows, vectors });
                else takeSums(f, module, { rows, vectors }, kept);
                addProduct(f, module, own, strip);
                f.bump(strip, rows * aRow * 4);
                if (target !== undefined) storeStrip(f, module, target, { ...store, rows });
                if (kept === undefined) return;
                keepSums(f, module, { rows, vectors }, kept);
                f.bump(kept, rows * vectors * 16);
              });
            }
            f.bump(a, depth * aDepth * 4);
          });
        }
        if (!waits) return;
        const target = copyTargets(f, args), kept = f.let(args.scratch);
        for (const { size: rows, count } of strips) {
          f.loop(count, () => {
            storeStrip(f, module, target, { ...store, rows }, kept);
            f.bump(kept, rows * vectors * 16);
          });
        }
      }
    },
  });
}

/** Where A's blocks end, and what lies between them. */
function gapsOf({ k, aDepth, aBlocks }: GemmShape): ReadonlyMap<number, number> {
  if (aBlocks === undefined) return new Map();
  const { count, stride } = aBlocks;
  const own = k / count;
  return new Map(range(count - 1).map((i) => [(i + 1) * own, stride - own * aDepth]));
}
