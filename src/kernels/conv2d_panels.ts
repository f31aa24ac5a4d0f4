/**
 * Gathering convolution by panels, with the bits of `conv2d_gather.ts`: 2 FLOP for each pair that
 * exists. See `panel_tile.ts` for why, and for the register tile.
 *
 * What up to 16 samples of a pixel gather, [taps][source channels][samples], is a panel that meets all
 * strips of weights. A pixel that gathers more than a panel holds does so in several passes, at a
 * border kernel row by kernel row; the sums wait on the workbench, or in scratch if there are several
 * strips.
 */
import type { AxisTaps, TapRun } from "./conv_taps.ts";
import type { GatherShape } from "./conv2d_gather.ts";
import type { FunctionBuilder, FunctionHandle } from "./emitter/function_builder.ts";
import { i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";
import { epilogueKey, epilogueOperands } from "./epilogue.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { packPanel } from "./pack_panel.ts";
import {
  clearSums,
  copyTargets,
  keepSums,
  storeStrip,
  type StripTargets,
  takeSums,
} from "./panel_sums.ts";
import {
  addProduct,
  depthsOf,
  LEAST_CONVOLUTION_FLOPS,
  PANEL_DEPTH,
  PANEL_VECTORS,
  panelPlace,
  panelsOf,
  stripRows,
  stripsOf,
} from "./panel_tile.ts";
import { range } from "./tiles.ts";

/** Fewer channels do not pay for the copies, fewer samples are no pairs of vectors. */
const LEAST_CHANNELS = 4;
const LEAST_BATCH = 8;

/** 2 for each pair of a source and a weight that exists. */
export function gatherFlops({ batch, source, result, rows, columns }: GatherShape): number {
  return 2 * batch * source.channels * result.channels * rows.pairs * columns.pairs;
}

/** Whether a gathering convolution is faster by panels. */
export function convolutionPanelsPay(module: ModuleBuilder, shape: GatherShape): boolean {
  const { batch, source, result, rows, columns } = shape;
  // With one strip a copy is read once: measured, that pays only if it is the only copy of a pixel.
  const taps = (axis: AxisTaps) => Math.max(...axis.runs.map(({ taps }) => taps));
  const isRead = result.channels > stripRows(module) ||
    taps(rows) * taps(columns) * source.channels <= PANEL_DEPTH;
  const { byPanels = isRead && gatherFlops(shape) >= LEAST_CONVOLUTION_FLOPS } = shape;
  const fits = result.channels >= LEAST_CHANNELS && batch >= LEAST_BATCH;
  return module.isWide && fits && byPanels;
}

/** A pair of a source and the weights that it meets. */
interface Term {
  /** Bytes from the first source of the result. */
  readonly source: number;
  /** Floats from the first weights. */
  readonly weight: number;
}

/** Terms that one panel holds. */
interface Pass {
  readonly terms: readonly Term[];
  /** As those of a `PanelTileShape`. */
  readonly gaps: ReadonlyMap<number, number>;
}

/** What a pixel of a run gathers: some passes, which are repeated for each kernel row or not. */
interface Gathering {
  readonly passes: readonly Pass[];
  readonly isRepeated: boolean;
}

/** What a gathering convolution and its operands are called. */
export interface GatherNames {
  readonly name: string;
  readonly sourceName: string;
  readonly resultName: string;
}

/** As `gatherConvolution`, then operand `scratch` if `scratchBytes` is not 0. */
export function panelConvolution(
  module: ModuleBuilder,
  shape: GatherShape,
  { name, sourceName, resultName }: GatherNames,
): Kernel {
  const { batch, batchStride, source, result, rows, columns, weights, epilogue } = shape;
  const key = `${name} by panels ${
    JSON.stringify([batch, batchStride, source, result, rows, columns, weights])
  } ${epilogueKey(epilogue)} at ${panelPlace(module)}`;
  const own = epilogueOperands(epilogue);
  const lanes = batchStride * 4;
  const sourcePixel = source.channels * lanes, resultPixel = result.channels * lanes;
  const strips = stripsOf(module, result.channels);
  const isOneStrip = result.channels <= stripRows(module);
  const gatherings = rows.runs.map((row) =>
    columns.runs.map((column) => gatheringOf(shape, row, column))
  );
  const keeps = !isOneStrip && gatherings.flat().some((gathering) => !isOnePass(gathering));
  return defineKernel(module, {
    key,
    params: [sourceName, "w", resultName, ...own, ...(keeps ? ["scratch"] : [])] as string[],
    flops: gatherFlops(shape),
    scratchBytes: keeps ? result.channels * PANEL_VECTORS * 16 : 0,
    build(f, args) {
      for (const [i, run] of rows.runs.entries()) {
        const x = f.let(i32.add(args[sourceName]!, run.source * source.width * sourcePixel));
        const offset = run.first * result.width * resultPixel;
        const y = f.let(i32.add(args[resultName]!, offset));
        const mask = args["mask"] && f.let(i32.add(args["mask"], offset));
        const w = f.let(i32.add(args["w"]!, run.tap * weights.row * 4));
        f.loop(run.count, () => {
          const { bias, scale, scratch } = args;
          const named: Record<string, Local | undefined> = { bias, mask, scale };
          f.call(
            rowFunction(run, gatherings[i]!),
            ...[x, w, y, run.taps, scratch ?? 0],
            ...own.map((name) => named[name]!),
          );
          f.bump(x, rows.sourceStep * source.width * sourcePixel);
          for (const pointer of mask === undefined ? [y] : [y, mask]) {
            f.bump(pointer, rows.step * result.width * resultPixel);
          }
        });
      }
    },
  });

  /** One result row of all channels, and what it gathers for each run of its columns. */
  function rowFunction(row: TapRun, found: readonly Gathering[]): FunctionHandle {
    const isForAny = row.taps > 0 &&
      found.every(({ passes, isRepeated }) => isRepeated || passes.length === 0);
    const name = `row${isForAny ? "" : ` of ${row.taps}`}: ${key}`;
    const params = Object.fromEntries(
      ["x", "w", "y", "taps", "scratch", ...own].map((name) => [name, "i32" as const]),
    ) as Record<string, "i32">;
    return module.cached(name, () =>
      module.function(name, params, (f, args) => {
        const scale = args["scale"] && f.let(v128.load32Splat(args["scale"]));
        for (const [i, run] of columns.runs.entries()) {
          const x = f.let(i32.add(args["x"]!, run.source * sourcePixel));
          const w = f.let(i32.add(args["w"]!, run.tap * weights.column * 4));
          const [y, mask] = [args["y"]!, args["mask"]].map((pointer) =>
            pointer && f.let(i32.add(pointer, run.first * resultPixel))
          );
          const { bias, taps, scratch } = args;
          f.loop(run.count, () => {
            for (const { vectors, count } of panelsOf(module, batch)) {
              f.loop(count, () => {
                pixel(f, found[i]!, { vectors, x, w, scale, taps: taps!, scratch: scratch! }, {
                  ...{ c: y!, mask, bias },
                });
                for (const pointer of [x, y, mask]) {
                  if (pointer !== undefined) f.bump(pointer, vectors * 16);
                }
              });
            }
            f.bump(x, columns.sourceStep * sourcePixel - batch * 4);
            for (const pointer of [y, mask]) {
              if (pointer !== undefined) f.bump(pointer, columns.step * resultPixel - batch * 4);
            }
          });
        }
      }));
  }

  /** Some samples of a result pixel. */
  function pixel(
    f: FunctionBuilder,
    gathering: Gathering,
    at: {
      readonly vectors: number;
      readonly x: Local<"i32">;
      readonly w: Local<"i32">;
      readonly scale: Local<"v128"> | undefined;
      /** Kernel rows, of passes that are repeated. */
      readonly taps: Local<"i32">;
      readonly scratch: Local<"i32">;
    },
    targets: StripTargets,
  ): void {
    const { vectors } = at;
    const store = {
      ...{ vectors, lastLanes: 4, cRow: batchStride, epilogue, scale: at.scale },
    };
    const target = copyTargets(f, targets);
    const eachStrip = (body: (rows: number) => void) => {
      for (const { size: rows, count } of strips) f.loop(count, () => body(rows));
    };
    const addPass = ({ terms, gaps }: Pass, rows: number, strip: Local<"i32">) =>
      addProduct(f, module, {
        ...{ rows, vectors, depth: terms.length, gaps },
        ...{ aRow: weights.result, aDepth: weights.source },
      }, strip);
    const [first] = gathering.passes;
    if (first === undefined || isOnePass(gathering)) {
      if (first !== undefined) pack(f, first, at.x, vectors);
      const w = f.let(i32.add(at.w, (first?.terms[0]?.weight ?? 0) * 4));
      eachStrip((rows) => {
        clearSums(f, module, { rows, vectors });
        if (first !== undefined) addPass(first, rows, w);
        storeStrip(f, module, target, { ...store, rows });
        f.bump(w, rows * weights.result * 4);
      });
      return;
    }
    if (isOneStrip) clearSums(f, module, { rows: result.channels, vectors });
    else f.memoryFill(at.scratch, 0, result.channels * vectors * 16);
    const x = f.let(at.x), w = f.let(at.w);
    f.repeat(gathering.isRepeated ? at.taps : i32.const(1), () => {
      for (const pass of gathering.passes) {
        pack(f, pass, x, vectors);
        const strip = f.let(i32.add(w, pass.terms[0]!.weight * 4));
        if (isOneStrip) {
          addPass(pass, result.channels, strip);
          continue;
        }
        const kept = f.let(at.scratch);
        eachStrip((rows) => {
          takeSums(f, module, { rows, vectors }, kept);
          addPass(pass, rows, strip);
          keepSums(f, module, { rows, vectors }, kept);
          f.bump(kept, rows * vectors * 16);
          f.bump(strip, rows * weights.result * 4);
        });
      }
      f.bump(x, rows.tapSourceStep * source.width * sourcePixel);
      f.bump(w, rows.tapStep * weights.row * 4);
    });
    if (isOneStrip) return storeStrip(f, module, target, { ...store, rows: result.channels });
    const kept = f.let(at.scratch);
    eachStrip((rows) => {
      storeStrip(f, module, target, { ...store, rows }, kept);
      f.bump(kept, rows * vectors * 16);
    });
  }

  /** Copies what a pass gathers to the panel. */
  function pack(f: FunctionBuilder, { terms }: Pass, x: Local<"i32">, vectors: number): void {
    const to = f.let(i32.const(panelPlace(module)));
    for (let start = 0; start < terms.length;) {
      let end = start + 1;
      while (terms[end]?.source === terms[end - 1]!.source + lanes) end++;
      const from = f.let(i32.add(x, terms[start]!.source));
      packPanel(f, from, to, end - start, batchStride, vectors, undefined);
      start = end;
    }
  }
}

function isOnePass({ passes, isRepeated }: Gathering): boolean {
  return passes.length <= 1 && !isRepeated;
}

/** What the pixels of two runs gather: in passes of their own where no kernel row is missing. */
function gatheringOf(shape: GatherShape, row: TapRun, column: TapRun): Gathering {
  const { batchStride, source, rows, columns, weights } = shape;
  const pixel = source.channels * batchStride * 4;
  const perRow = column.taps * source.channels;
  if (row.taps * perRow === 0) return { passes: [], isRepeated: false };
  const most = Math.max(...rows.runs.map(({ taps }) => taps));
  const isRepeated = row.taps * perRow > PANEL_DEPTH && row.taps < most;
  const terms = range(isRepeated ? 1 : row.taps).flatMap((ky) =>
    range(column.taps).flatMap((kx) =>
      range(source.channels).map((channel) => ({
        source: (ky * rows.tapSourceStep * source.width + kx * columns.tapSourceStep) * pixel +
          channel * batchStride * 4,
        weight: ky * rows.tapStep * weights.row + kx * columns.tapStep * weights.column +
          channel * weights.source,
      }))
    )
  );
  const passes: Pass[] = [];
  let start = 0;
  for (const { size, count } of depthsOf(terms.length)) {
    for (const _ of range(count)) {
      const own = terms.slice(start, start + size);
      start += size;
      const gaps = own.flatMap(({ weight }, k) => {
        const gap = k === 0 ? 0 : weight - own[k - 1]!.weight - weights.source;
        return gap === 0 ? [] : [[k, gap] as const];
      });
      passes.push({ terms: own, gaps: new Map(gaps) });
    }
  }
  return { passes, isRepeated };
}
