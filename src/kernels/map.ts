/**
 * An elementwise expression of operands that are stretched along some axes. Neighbouring axes that
 * all operands have, or lack, alike are one loop; the innermost is cut into vectors of four.
 */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local, V128 } from "./emitter/value.ts";
import { storeLanes } from "./epilogue.ts";
import { type ElementExpression, ExpressionCode, expressionKey } from "./expression_code.ts";
import { defineKernel, type Kernel } from "./kernel.ts";

/** Extents of a map. */
export interface MapShape {
  /** Sizes of the result's axes, the batch last if it has one. */
  readonly sizes: readonly number[];
  /** For each operand, which axes it has; it is the same along the others. */
  readonly present: readonly (readonly boolean[])[];
  readonly expression: ElementExpression;
  /**
   * Floats from one run of the last axis to the next, for some samples of a larger batch.
   * @default the size of the last axis
   */
  readonly runStride?: number;
}

/** An axis after joining neighbours: its size, and floats from one element to the next. */
interface Axis {
  readonly size: number;
  readonly strides: readonly number[];
  readonly resultStride: number;
}

/** Joins neighbouring axes; there is always at least one. */
function joinAxes(
  sizes: readonly number[],
  present: readonly (readonly boolean[])[],
  isLastApart: boolean,
): { readonly size: number; readonly present: readonly boolean[] }[] {
  const axes: { size: number; present: boolean[] }[] = [];
  sizes.forEach((size, axis) => {
    if (size === 1) return;
    const own = present.map((each) => each[axis]!);
    const last = axes.at(-1);
    const isApart = isLastApart && axis === sizes.length - 1;
    if (!isApart && last !== undefined && String(last.present) === String(own)) last.size *= size;
    else axes.push({ size, present: own });
  });
  return axes.length > 0 ? axes : [{ size: 1, present: present.map(() => true) }];
}

/** Operands `0`, `1`, ... then `to`, which may be one of the operands that have all axes. */
export function map(module: ModuleBuilder, shape: MapShape): Kernel {
  const { sizes, present, expression, runStride = sizes.at(-1) ?? 1 } = shape;
  const isPartOfRuns = runStride !== (sizes.at(-1) ?? 1);
  const joined = joinAxes(sizes, present, isPartOfRuns);
  const count = sizes.reduce((product, size) => product * size, 1);
  const names = present.map((_, i) => String(i));
  const strides = present.map(() => 1);
  let resultStride = 1;
  const axes: Axis[] = joined.toReversed().map(({ size, present: own }, fromLast) => {
    const axis = { size, strides: own.map((has, i) => has ? strides[i]! : 0), resultStride };
    const extent = isPartOfRuns && fromLast === 0 ? runStride : size;
    own.forEach((has, i) => strides[i]! *= has ? extent : 1);
    resultStride *= extent;
    return axis;
  }).toReversed();
  return defineKernel(module, {
    key: `map ${JSON.stringify(isPartOfRuns ? [joined, runStride] : joined)} ${
      expressionKey(expression)
    }`,
    params: [...names, "to"],
    flops: count,
    build(f, args) {
      const pointers = names.map((name) => args[name]!);
      nest(f, axes, pointers, args["to"]!, expression);
    },
  });
}

function nest(
  f: FunctionBuilder,
  [axis, ...inner]: readonly Axis[],
  pointers: readonly Local<"i32">[],
  to: Local<"i32">,
  expression: ElementExpression,
): void {
  const { size, strides, resultStride } = axis!;
  const own = pointers.map((pointer, i) => strides[i] === 0 ? pointer : f.let(pointer));
  const result = f.let(to);
  const advance = (elements: number) => {
    own.forEach((pointer, i) => f.bump(pointer, strides[i]! * elements * 4));
    f.bump(result, resultStride * elements * 4);
  };
  if (inner.length > 0) {
    f.loop(size, () => {
      nest(f, inner, own, result, expression);
      advance(1);
    });
    return;
  }
  // What is the same along the whole axis is loaded once.
  const same = own.map((pointer, i) =>
    strides[i] === 0 ? f.let(v128.load32Splat(pointer)) : undefined
  );
  const vector = (lanes: number) => {
    const operands: V128[] = own.map((pointer, i) => same[i] ?? f.let(v128.load(pointer)));
    const value = new ExpressionCode(f, operands).number(expression);
    storeLanes(f, result, value, 0, lanes);
    advance(lanes);
  };
  f.unrolledLoop(Math.floor(size / 4), 2, () => vector(4));
  if (size % 4 > 0) f.scope(() => vector(size % 4));
}
