/** Greatest and average of windows of [height][width][channels][batch], and their gradients. */
import { conv2dAxes, type Conv2dShape } from "./conv2d_shape.ts";
import { type AxisTaps, forwardTaps, type TapRun } from "./conv_taps.ts";
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32x4, i32, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local, V128 } from "./emitter/value.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { range } from "./tiles.ts";

/** Extents of the windows; input and output channels are the same. */
export interface PoolShape extends Conv2dShape {
  readonly take: "max" | "average";
}

const ZERO = f32x4.const(0);

/**
 * Operands `x`, `y`. An average counts only what lies inside; a window with nothing inside gives 0.
 */
export function poolForward(module: ModuleBuilder, shape: PoolShape): Kernel {
  const axes = conv2dAxes(shape);
  const rows = forwardTaps(axes.rows), columns = forwardTaps(axes.columns);
  const channel = shape.inputChannels * shape.batch;
  return defineKernel(module, {
    key: `pool forward ${JSON.stringify(shape)}`,
    params: ["x", "y"],
    flops: rows.pairs * columns.pairs * channel,
    build(f, args) {
      eachWindow(f, shape, { rows, columns }, args.x, [args.y], ([y], x, taps) => {
        if (taps.length === 0) return f.store(y!, ZERO);
        const join = shape.take === "max" ? f32x4.pmax : f32x4.add;
        const total = taps.map((offset) => v128.load(x, offset)).reduce((a, b) => join(a, b));
        const scale = f.floats(1 / taps.length);
        f.store(y!, shape.take === "max" ? total : f32x4.mul(total, scale));
      });
    },
  });
}

function overlaps(shape: Conv2dShape): boolean {
  return Object.values(conv2dAxes(shape))
    .some(({ stride, kernel, dilation }) => stride < (kernel - 1) * dilation + 1);
}

/** Whether each input is in exactly one window. */
export function coversInput(shape: Conv2dShape): boolean {
  return !overlaps(shape) &&
    Object.values(conv2dAxes(shape)).every(({ input, output, stride, kernel, pad }) =>
      stride === kernel && pad === 0 && output * stride === input
    );
}

/**
 * Operands `dy`, `x`, `dx` of a greatest number, which goes to the first of equals; `dy`, `dx` of
 * an average, which is spread over the whole window, its missing part too.
 *
 * @param positive what is not above 0 gets nothing, as if relu came before
 */
export function poolGradient(module: ModuleBuilder, shape: PoolShape, positive = false): Kernel {
  const axes = conv2dAxes(shape);
  const rows = forwardTaps(axes.rows), columns = forwardTaps(axes.columns);
  const channel = shape.inputChannels * shape.batch;
  const { take, kernelHeight, kernelWidth, batchStride = shape.batch } = shape;
  const overlap = overlaps(shape);
  const covered = coversInput(shape);
  if (!covered && batchStride !== shape.batch) {
    throw new RangeError("Cannot clear some samples only, as windows leave inputs out or overlap");
  }
  const bytes = axes.rows.input * axes.columns.input * channel * 4;
  return defineKernel(module, {
    key: `pool gradient ${JSON.stringify([shape, positive])}`,
    params: take === "max" ? ["dy", "x", "dx"] : ["dy", "dx"],
    flops: rows.pairs * columns.pairs * channel,
    build(f, args: Record<string, Local<"i32">>) {
      const { dy, x, dx } = args as Record<"dy" | "x" | "dx", Local<"i32">>;
      if (!covered) f.memoryFill(dx, 0, bytes);
      const give = (at: Local<"i32">, offset: number, value: V128) =>
        f.store(at, overlap ? f32x4.add(v128.load(at, offset), value) : value, offset);
      if (take === "average") {
        const scale = f.floats(1 / (kernelHeight * kernelWidth));
        eachWindow(f, shape, { rows, columns }, dx, [dy], ([dy], to, taps) => {
          const share = f.let(f32x4.mul(v128.load(dy!), scale));
          for (const offset of taps) give(to, offset, share);
        });
        return;
      }
      // x and dx lie alike: the way between them leads from one to the other.
      const way = f.let(i32.sub(dx, x));
      eachWindow(f, shape, { rows, columns }, x, [dy], ([dy], from, taps) => {
        if (taps.length === 0) return;
        const to = f.let(i32.add(from, way));
        const numbers = taps.map((offset) => f.let(v128.load(from, offset)));
        const most = f.let(
          numbers.slice(1).reduce((a, b) => f32x4.pmax(a, b), numbers[0]! as V128),
        );
        const gradient = v128.load(dy!);
        const left = f.let(
          positive ? v128.and(gradient, f32x4.gt(most, ZERO)) : gradient,
        );
        for (const [i, offset] of taps.entries()) {
          const hit = f.let(f32x4.eq(numbers[i]!, most));
          give(to, offset, v128.and(left, hit));
          if (i < taps.length - 1) f.set(left, v128.andnot(left, hit));
        }
      });
    },
  });
}

/**
 * Runs `body` for each vector of each window: with pointers to its place in the outputs, one to
 * its first input, and the offsets of all inputs from that one.
 */
function eachWindow(
  f: FunctionBuilder,
  { batch, batchStride = batch, inputChannels, inputWidth }: PoolShape,
  { rows, columns }: { readonly rows: AxisTaps; readonly columns: AxisTaps },
  input: Local<"i32">,
  outputs: readonly Local<"i32">[],
  body: (outputs: readonly Local<"i32">[], input: Local<"i32">, taps: readonly number[]) => void,
): void {
  const pixel = inputChannels * batchStride * 4;
  // Channels of a whole batch are one long run.
  const [runs, run] = batchStride === batch ? [1, inputChannels * batch] : [inputChannels, batch];
  const inputRow = inputWidth * pixel;
  const outputRow = columns.runs.reduce((sum, run) => sum + run.count, 0) * pixel;
  const offsets = (row: TapRun, column: TapRun) =>
    range(row.taps).flatMap((ky) =>
      range(column.taps).map((kx) =>
        ky * rows.tapSourceStep * inputRow + kx * columns.tapSourceStep * pixel
      )
    );
  for (const row of rows.runs) {
    const outputAt = outputs.map((output) => f.let(i32.add(output, row.first * outputRow)));
    const inputAt = f.let(i32.add(input, row.source * inputRow));
    f.loop(row.count, () => {
      for (const column of columns.runs) {
        const own = outputAt.map((output) => f.let(i32.add(output, column.first * pixel)));
        const from = f.let(i32.add(inputAt, column.source * pixel));
        const taps = offsets(row, column);
        f.loop(column.count, () => {
          f.loop(runs, () => {
            f.loop(run / 4, () => {
              body(own, from, taps);
              f.bump(from, 16);
              for (const output of own) f.bump(output, 16);
            });
            for (const pointer of [from, ...own]) f.bump(pointer, (batchStride - batch) * 4);
          });
          f.bump(from, columns.sourceStep * pixel - pixel);
        });
      }
      for (const output of outputAt) f.bump(output, outputRow);
      f.bump(inputAt, rows.sourceStep * inputRow);
    });
  }
}
