/**
 * Gathering convolution by panels of a source with zeros around it: 2 FLOP for each pair that exists,
 * and some more for zeros. A pixel at a border then gathers as many terms as any other, where without
 * zeros each kind of border has code of its own. The bits are the same, as a zero times a weight adds
 * nothing; only weights that are no longer finite spread to borders too.
 */
import type { AxisTaps } from "./conv_taps.ts";
import type { GatherShape } from "./conv2d_gather.ts";
import { gatherFlops, type GatherNames, panelConvolution } from "./conv2d_panels.ts";
import { i32 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { PANEL_DEPTH } from "./panel_tile.ts";

/** Terms more than there are, at most, for each that there is. */
const MOST_TERMS = 1.25;

/** One axis with zeros at both ends. */
interface PaddedAxis {
  readonly taps: AxisTaps;
  /** Zeros before the first source. */
  readonly before: number;
  /** Sources with their zeros. */
  readonly size: number;
}

/** A source's two axes with their zeros. */
export interface Padding {
  readonly rows: PaddedAxis;
  readonly columns: PaddedAxis;
}

/** Zeros around a source, where they are worth their time; else null. */
export function paddingOf(shape: GatherShape): Padding | null {
  const { batch, batchStride, source } = shape;
  if (batch !== batchStride) return null;
  const rows = padded(shape.rows, source.height), columns = padded(shape.columns, source.width);
  if (rows === null || columns === null) return null;
  const isPadded = rows.size > source.height || columns.size > source.width;
  const { taps: depth } = rows.taps.runs[0]!, { taps: width } = columns.taps.runs[0]!;
  const terms = rows.taps.pairs * columns.taps.pairs;
  const isLittle = terms <= MOST_TERMS * shape.rows.pairs * shape.columns.pairs;
  return isPadded && isLittle && depth * width * source.channels <= PANEL_DEPTH
    ? { rows, columns }
    : null;
}

/** An axis on which all results have the same taps, some of them zeros; null if it has steps. */
function padded(axis: AxisTaps, size: number): PaddedAxis | null {
  const { runs, step, sourceStep, tapStep, tapSourceStep } = axis;
  if (step !== 1 || tapStep !== 1) return null;
  const taps = Math.max(...runs.map(({ tap, taps }) => tap + taps));
  const reached = runs.find(({ taps }) => taps > 0);
  if (reached === undefined) return null;
  const { first, tap, source } = reached;
  const start = source - tap * tapSourceStep - first * sourceStep;
  const count = runs.reduce((sum, { count }) => sum + count, 0);
  const last = (count - 1) * sourceStep, way = (taps - 1) * tapSourceStep;
  const before = Math.max(0, -start - Math.min(0, way));
  const end = Math.max(size, start + last + Math.max(0, way) + 1);
  const run = { first: 0, count, taps, tap: 0, source: start + before };
  return { taps: { ...axis, runs: [run], pairs: count * taps }, before, size: before + end };
}

/** As `panelConvolution`; its operand `scratch` begins with the source and its zeros. */
export function paddedConvolution(
  module: ModuleBuilder,
  shape: GatherShape,
  { rows, columns }: Padding,
  names: GatherNames,
): Kernel {
  const { source, batchStride } = shape;
  const inner = panelConvolution(module, {
    ...shape,
    source: { ...source, height: rows.size, width: columns.size },
    rows: rows.taps,
    columns: columns.taps,
  }, names);
  const pixel = source.channels * batchStride * 4;
  const row = source.width * pixel, paddedRow = columns.size * pixel;
  const { sourceName } = names;
  return defineKernel(module, {
    key: `${[rows.before, columns.before]} zeros: ${inner.func.name}`,
    params: [sourceName, ...inner.params.slice(1), "scratch"],
    flops: gatherFlops(shape),
    scratchBytes: rows.size * paddedRow,
    build(f, args) {
      const scratch = args["scratch"]!;
      f.memoryFill(scratch, 0, rows.size * paddedRow);
      const from = f.let(args[sourceName]!);
      const to = f.let(i32.add(scratch, rows.before * paddedRow + columns.before * pixel));
      f.loop(source.height, () => {
        f.memoryCopy(to, from, row);
        f.bump(from, row);
        f.bump(to, paddedRow);
      });
      f.call(inner.func, scratch, ...inner.params.slice(1).map((name) => args[name]!));
    },
  });
}
