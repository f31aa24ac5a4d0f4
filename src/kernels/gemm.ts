/**
 * Matrix product C[m][n] = sum over k of A(m, k) * B(k, n): 2 m n k FLOP.
 *
 * Four columns are a vector; A is read one float at a time into all lanes, at any strides, so a
 * transposed A costs nothing. Register tile: 6 rows x 2 vectors (12 sums, 2 of B, 1 of A = the 15
 * registers there are; 12 multiply-adds for 8 loads). Without fused multiply-add the product needs
 * a register too: 5 x 2. Pointers advance for each k instead of growing offsets: every distinct
 * offset costs a bounds check of its own.
 */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32x4, i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";
import {
  type Epilogue,
  epilogueKey,
  type EpilogueOperand,
  epilogueOperands,
  storeLanes,
  storeResult,
} from "./epilogue.ts";
import { callKernel, defineKernel, type Kernel } from "./kernel.ts";
import { packPanel } from "./pack_panel.ts";
import { panelProduct, panelsPay } from "./panel_product.ts";
import { splatRows } from "./splat_rows.ts";
import { type Blocks, range, splitEvenly } from "./tiles.ts";

/** Extents and strides of a product; strides count floats. */
export interface GemmShape {
  readonly m: number;
  /** Any number; vectors of B are read whole, so up to 3 floats behind its last row. */
  readonly n: number;
  readonly k: number;
  /** From A(m, k) to A(m + 1, k). */
  readonly aRow: number;
  /** From A(m, k) to A(m, k + 1). */
  readonly aDepth: number;
  /** From B(k, n) to B(k + 1, n); columns are neighbours. */
  readonly bDepth: number;
  /** From C(m, n) to C(m + 1, n); columns are neighbours. */
  readonly cRow: number;
  /** @default the plain sums */
  readonly epilogue?: Epilogue;
  /**
   * The outer loop: `columns` keeps a panel of B in the first-level cache, `rows` a strip of A and
   * reads A and C once.
   * @default "rows" if B fits a cache and what is read of A lies close together
   */
  readonly outer?: "rows" | "columns";
  /**
   * Copies the panels of B to scratch, so that a B whose rows lie far apart does not crowd a few
   * sets of the cache: one after the other, or with `outer: "rows"` all at once.
   * @default whether there are rows enough to pay for the copy
   */
  readonly pack?: boolean;
  /**
   * Copies each strip of A to scratch, for the same reason. Needs `outer: "rows"`, an `aRow` of 1 and
   * no blocks.
   * @default whether A has such rows and fits no cache
   */
  readonly packStrip?: boolean;
  /**
   * So many rows of B are multiplied with their columns of A at a time, so that both stay in the
   * first-level cache; the sums wait in C meanwhile. Needs an epilogue that does not accumulate, and
   * no `aBlocks`.
   * @default k, unless A is read across its rows and k is large
   */
  readonly depth?: number;
  /** Blocks that the columns of A lie in. @default one */
  readonly aBlocks?: Blocks;
  /** Whether to go by panels where the module has a workbench. @default if it is large */
  readonly byPanels?: boolean;
}

/** A product that may go on with the sums that C holds. */
interface ProductShape extends GemmShape {
  readonly continues?: boolean;
}

type Loops = Required<Pick<GemmShape, "outer" | "pack" | "packStrip" | "depth">>;

const ZERO = f32x4.const(0);
const UNROLL = 4;
/** A matrix up to this size stays in the first-level cache (32 KiB) beside a strip of the other. */
const CACHED_BYTES = 20 * 1024;
/** Panels up to this size stay in the second-level cache, or nearly. */
const PANELS_BYTES = 1024 * 1024;
/** An A of this size is in no cache of a core; smaller ones do not pay for the copies. */
const STRIPS_BYTES = 1024 * 1024;
/** Depths that were the fastest of those from 64 to 256, with strips copied and without. */
const STRIP_DEPTH = 64;
const PANEL_DEPTH = 256;
/** From this depth on blocks gain more than the code of three products costs. */
const LARGE_DEPTH = 512;
/** With so many rows a copy of B's panel is soon paid back: measured 1.1 to 2.9 times as fast. */
const PACKING_ROWS = 12;

/** Whether panels of B are packed for so many rows, unless the shape says otherwise. */
export function packPays(m: number): boolean {
  return m >= PACKING_ROWS;
}

/** What the shape leaves open. */
function loopsOf(shape: GemmShape): Loops {
  const { m, n, k, aRow, aDepth, epilogue, pack = shape.outer !== "rows" && packPays(m) } = shape;
  const bBytes = k * n * 4;
  if (!pack) {
    const { outer = m < PACKING_ROWS && bBytes <= CACHED_BYTES ? "rows" : "columns" } = shape;
    return { outer, pack, packStrip: shape.packStrip ?? false, depth: shape.depth ?? k };
  }
  const panelsFit = bBytes <= PANELS_BYTES;
  const canPackStrip = shape.outer !== "columns" && aRow === 1 && shape.aBlocks === undefined;
  const { packStrip = canPackStrip && panelsFit && m * k * 4 > STRIPS_BYTES } = shape;
  const { outer = panelsFit && (aDepth === 1 || packStrip) ? "rows" : "columns" } = shape;
  const canWait = epilogue?.accumulate !== true && shape.aBlocks === undefined;
  const isDeep = canWait && aDepth !== 1 && k >= LARGE_DEPTH;
  const { depth = isDeep ? packStrip ? STRIP_DEPTH : PANEL_DEPTH : k } = shape;
  return { outer, pack, packStrip, depth };
}

/** Operands `a`, `b`, `c`, then those of the epilogue, then `scratch` if `scratchBytes` is not 0. */
export function gemm(module: ModuleBuilder, shape: GemmShape): Kernel {
  const loops = loopsOf(shape);
  if (panelsPay(module, shape)) return panelProduct(module, shape, loops.pack);
  return loops.depth < shape.k
    ? blockedProduct(module, shape, loops)
    : product(module, shape, loops);
}

/** A product as several, each of which goes on with the sums of the one before. */
function blockedProduct(module: ModuleBuilder, shape: GemmShape, loops: Loops): Kernel {
  const { epilogue = {}, ...plain } = shape;
  const { depth } = loops;
  const blocks = Math.ceil(shape.k / depth);
  const lastDepth = shape.k - (blocks - 1) * depth;
  const first = product(module, { ...plain, k: depth }, loops);
  const next = product(module, { ...plain, k: depth, continues: true }, loops);
  const last = product(module, { ...plain, k: lastDepth, epilogue, continues: true }, loops);
  return defineKernel(module, {
    key: `gemm in blocks ${JSON.stringify([shape, loops])}`,
    params: last.params as readonly Operand[],
    flops: 2 * shape.m * shape.n * shape.k,
    scratchBytes: Math.max(first.scratchBytes, last.scratchBytes),
    build(f, args) {
      const add = (kernel: Kernel) => {
        callKernel(f, kernel, args);
        f.bump(args.a, depth * shape.aDepth * 4);
        f.bump(args.b, depth * shape.bDepth * 4);
      };
      add(first);
      f.loop(blocks - 2, () => add(next));
      add(last);
    },
  });
}

function product(
  module: ModuleBuilder,
  shape: ProductShape,
  { outer, pack, packStrip }: Loops,
): Kernel {
  const { m, n, k, aRow, aDepth, bDepth, cRow, epilogue = {}, continues = false } = shape;
  const strip = module.arithmetic === "fused" ? 6 : 5;
  // A panel, or all of them and a strip.
  const panelBytes = pack ? k * 16 * (outer === "rows" ? Math.ceil(n / 4) : 2) : 0;
  const scratchBytes = panelBytes + (packStrip ? k * strip * 4 : 0);
  return defineKernel(module, {
    key: `gemm ${[m, n, k, aRow, aDepth, bDepth, cRow, outer, pack, packStrip, continues]} ${
      epilogueKey(epilogue)
    }${shape.aBlocks === undefined ? "" : ` ${JSON.stringify(shape.aBlocks)}`}`,
    params: [
      ...["a" as const, "b" as const, "c" as const],
      ...epilogueOperands(epilogue),
      ...(scratchBytes > 0 ? ["scratch" as const] : []),
    ],
    flops: 2 * m * n * k,
    scratchBytes,
    build(f, args) {
      const scale = args.scale === undefined ? undefined : f.let(v128.load32Splat(args.scale));
      // Panels are multiplied as they are copied: they are fewer numbers than there are results.
      const panelScale = pack ? scale : undefined;
      const rest = panelScale === undefined ? epilogue : { ...epilogue, scale: 1 };
      const restScale = pack ? undefined : scale;
      const rowRuns = splitEvenly(m, strip);
      const columnRuns = columnTiles(n);
      const packsAll = pack && outer === "rows";
      if (packsAll) packPanels();
      const nest = outer === "rows"
        ? [rowLoop, columnLoop] as const
        : [columnLoop, rowLoop] as const;
      nest[0](args, (outerTile, outerPointers) =>
        nest[1](outerPointers, (innerTile, pointers) => {
          tile(f, { ...shape, ...outerTile, ...innerTile, epilogue: rest }, pointers, restScale);
        }));

      function rowLoop(at: Pointers, body: TileBody): void {
        const next = copyPointers(f, at, ["a", "c", "mask", "bias"]);
        for (const { size, count } of rowRuns) {
          f.loop(count, () => {
            if (packStrip) {
              const copy = f.let(i32.add(args.scratch, panelBytes));
              packRows(f, next.a, copy, k, aDepth, size);
              body({ rows: size, aRow: 1, aDepth: size }, { ...next, a: copy });
            } else body({ rows: size }, next);
            f.bump(next.a, size * aRow * 4);
            f.bump(next.c, size * cRow * 4);
            if (next.mask !== undefined) f.bump(next.mask, size * cRow * 4);
            if (next.bias !== undefined && epilogue.bias === "row") f.bump(next.bias, size * 4);
          });
        }
      }

      function columnLoop(at: Pointers, body: TileBody): void {
        const from = packsAll ? { ...at, b: args.scratch } : at;
        const next = copyPointers(f, from, ["b", "c", "mask", "bias"]);
        for (const { count, ...columns } of columnRuns) {
          f.loop(count, () => {
            const bytes = columns.vectors * 16;
            const packed = { ...columns, bDepth: columns.vectors * 4 };
            if (packsAll) body(packed, next);
            else if (pack) {
              packPanel(f, next.b, f.let(args.scratch), k, bDepth, columns.vectors, panelScale);
              body(packed, { ...next, b: args.scratch });
            } else body(columns, next);
            f.bump(next.b, packsAll ? bytes * k : bytes);
            f.bump(next.c, bytes);
            if (next.mask !== undefined) f.bump(next.mask, bytes);
            if (next.bias !== undefined && epilogue.bias === "column") f.bump(next.bias, bytes);
          });
        }
      }

      function packPanels(): void {
        const from = f.let(args.b), to = f.let(args.scratch);
        for (const { count, vectors } of columnRuns) {
          f.loop(count, () => {
            packPanel(f, from, to, k, bDepth, vectors, panelScale);
            f.bump(from, vectors * 16);
          });
        }
      }
    },
  });
}

type Operand = "a" | "b" | "c" | "scratch" | EpilogueOperand;

/** Where the current tile begins in each operand. */
type Pointers =
  & Record<"a" | "b" | "c", Local<"i32">>
  & Partial<Record<EpilogueOperand, Local<"i32">>>;

interface Tile extends Pick<GemmShape, "aRow" | "aDepth"> {
  readonly bDepth: number;
  readonly rows: number;
  readonly vectors: number;
  /** Columns of the last vector that exist. */
  readonly lastLanes: number;
}

type TileBody = (tile: Partial<Tile>, at: Pointers) => void;

function columnTiles(n: number): (Pick<Tile, "vectors" | "lastLanes"> & { count: number })[] {
  const vectors = Math.ceil(n / 4);
  const lastLanes = n - (vectors - 1) * 4;
  const whole = lastLanes === 4 ? vectors : vectors - 1;
  const tiles = [{ vectors: 2, lastLanes: 4, count: Math.floor(whole / 2) }];
  if (lastLanes < 4) tiles.push({ vectors: whole % 2 + 1, lastLanes, count: 1 });
  else tiles.push({ vectors: 1, lastLanes, count: whole % 2 });
  return tiles.filter(({ count }) => count > 0);
}

/** Copies `k` pieces of up to 6 floats, `aDepth` floats apart, one behind the other. */
function packRows(
  f: FunctionBuilder,
  strip: Local<"i32">,
  scratch: Local<"i32">,
  k: number,
  aDepth: number,
  rows: number,
): void {
  const from = f.let(strip), to = f.let(scratch);
  const pieces = [[4, v128.load], [2, v128.load64Zero], [1, v128.load32Zero]] as const;
  f.unrolledLoop(k, UNROLL, () => {
    for (let row = 0; row < rows;) {
      const [size, load] = pieces.find(([size]) => size <= rows - row)!;
      storeLanes(f, to, load(from, row * 4), row * 4, size);
      row += size;
    }
    f.bump(from, aDepth * 4);
    f.bump(to, rows * 4);
  });
}

/** The same pointers with fresh locals for those that a loop will advance. */
function copyPointers(f: FunctionBuilder, at: Pointers, names: (keyof Pointers)[]): Pointers {
  const copy = { ...at };
  for (const name of names) {
    const pointer = at[name];
    if (pointer !== undefined) copy[name] = f.let(pointer);
  }
  return copy;
}

function tile(
  f: FunctionBuilder,
  shape: ProductShape & Partial<Tile> & { epilogue: Epilogue },
  at: Pointers,
  scale: Local<"v128"> | undefined,
): void {
  const { k, aRow, aDepth, bDepth, cRow, rows = 1, vectors = 1, lastLanes = 4, epilogue } = shape;
  const { count, stride } = shape.aBlocks ?? { count: 1, stride: k * aDepth };
  const place = (row: number, vector: number) => row * cRow * 4 + vector * 16;
  const start = (row: number, vector: number) =>
    shape.continues === true ? v128.load(at.c, place(row, vector)) : ZERO;
  const sums = range(rows).map((r) => range(vectors).map((v) => f.let(start(r, v))));
  const a = splatRows(f, at.a, rows, aRow * 4);
  const b = f.let(at.b);
  f.loop(count, () => {
    f.unrolledLoop(k / count, UNROLL, () => {
      const columns = range(vectors).map((v) => f.let(v128.load(b, v * 16)));
      for (const [r, row] of sums.entries()) {
        const factor = f.let(a.load(r));
        for (const [v, sum] of row.entries()) f.accumulate(sum, factor, columns[v]!);
      }
      a.advance(aDepth * 4);
      f.bump(b, bDepth * 4);
    });
    a.advance((stride - k / count * aDepth) * 4);
  });
  for (const [r, row] of sums.entries()) {
    for (const [v, sum] of row.entries()) {
      const bias = at.bias &&
        (epilogue.bias === "row" ? v128.load32Splat(at.bias, r * 4) : v128.load(at.bias, v * 16));
      const lanes = v === vectors - 1 ? lastLanes : 4;
      const { c, mask } = at;
      storeResult(f, epilogue, sum, { c, offset: place(r, v), lanes, mask, bias, scale });
    }
  }
}
