/**
 * Which weights ("taps") meet which source along one axis of a convolution, with exact bounds: no
 * padding is stored and no zero is multiplied. Results with the same taps form a run, so a border
 * is code of its own and the interior is one loop.
 */
import { conv2dAxes, type Conv2dShape, type ConvAxis } from "./conv2d_shape.ts";

/** Results at `first`, `first + step`, ... that have the same taps. */
export interface TapRun {
  readonly first: number;
  readonly count: number;
  /** Number of taps of each result; 0 where nothing reaches it. */
  readonly taps: number;
  /** The first tap: an index into the kernel. */
  readonly tap: number;
  /** The source that the first tap of the first result meets. */
  readonly source: number;
}

/** All results of one axis and the steps that its runs have in common. */
export interface AxisTaps {
  readonly runs: readonly TapRun[];
  /** From one result of a run to the next. */
  readonly step: number;
  /** From the source of one result to that of the next. */
  readonly sourceStep: number;
  /** From one tap of a result to the next, and the way of the source between them. */
  readonly tapStep: number;
  readonly tapSourceStep: number;
  /** Pairs of a result and a tap. */
  readonly pairs: number;
}

/** The forward direction: output o meets input o * stride - pad + k * dilation. */
export function forwardTaps({ input, output, kernel, stride, dilation, pad }: ConvAxis): AxisTaps {
  const runs = collectRuns(output, 1, (o) => {
    const source = (k: number) => o * stride - pad + k * dilation;
    return tapsOf(kernel, (k) => source(k) >= 0 && source(k) < input ? source(k) : undefined);
  });
  return {
    runs,
    step: 1,
    sourceStep: stride,
    tapStep: 1,
    tapSourceStep: dilation,
    pairs: count(runs),
  };
}

/**
 * The way back: input i gets from output (i + pad - k * dilation) / stride, for those k where
 * this is whole and exists. Inputs `stride` apart have the same taps.
 */
export function gradientTaps(axis: ConvAxis): AxisTaps {
  const { input, output, kernel, stride, dilation, pad } = axis;
  const runs = collectRuns(input, stride, (i) =>
    tapsOf(kernel, (k) => {
      const source = (i + pad - k * dilation) / stride;
      return Number.isInteger(source) && source >= 0 && source < output ? source : undefined;
    }));
  const common = greatestCommonDivisor(stride, dilation);
  return {
    runs,
    step: stride,
    sourceStep: 1,
    tapStep: stride / common,
    tapSourceStep: -dilation / common,
    pairs: count(runs),
  };
}

/** FLOP of a convolution or of one of its gradients, as the plain sum has them. */
export function flopsOf(shape: Conv2dShape): number {
  const { rows, columns } = conv2dAxes(shape);
  return 2 * shape.batch * shape.inputChannels * shape.outputChannels *
    forwardTaps(rows).pairs * forwardTaps(columns).pairs;
}

type Taps = Pick<TapRun, "taps" | "tap" | "source">;

function tapsOf(kernel: number, sourceOf: (k: number) => number | undefined): Taps {
  let first: Taps | undefined;
  let taps = 0;
  for (let k = 0; k < kernel; k++) {
    const source = sourceOf(k);
    if (source === undefined) continue;
    first ??= { taps: 0, tap: k, source };
    taps++;
  }
  return { ...(first ?? { tap: 0, source: 0 }), taps };
}

function collectRuns(results: number, step: number, tapsAt: (result: number) => Taps): TapRun[] {
  const runs: { first: number; count: number; taps: number; tap: number; source: number }[] = [];
  for (let phase = 0; phase < Math.min(step, results); phase++) {
    let current: typeof runs[number] | undefined;
    for (let result = phase; result < results; result += step) {
      const taps = tapsAt(result);
      if (current !== undefined && current.taps === taps.taps && current.tap === taps.tap) {
        current.count++;
      } else runs.push(current = { first: result, count: 1, ...taps });
    }
  }
  return runs;
}

function count(runs: readonly TapRun[]): number {
  return runs.reduce((sum, run) => sum + run.count * run.taps, 0);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
