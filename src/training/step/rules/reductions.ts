/** Kernels that sum, average or take the greatest along axes. */
import { call } from "../expression.ts";
import { sizeOf } from "../graph.ts";
import { dimOfAxis, plain, reshaped, type Symbolic } from "../symbol.ts";
import { elementwise } from "./elementwise.ts";
import { axesOf, type KernelCall, type Rule, type Rules } from "./rule.ts";

/** Reduces along axes, which become 1; what is stretched in name is counted. */
function reduce(
  { graph }: KernelCall,
  x: Symbolic,
  take: "sum" | "max" | "min",
  axes: readonly number[],
): Symbolic {
  const { value, shape, batchAxis } = x;
  const overBatch = batchAxis !== null && axes.includes(batchAxis);
  if (overBatch && take !== "sum") {
    // Lanes behind the last sample would count.
    throw new RangeError(`Cannot take the ${take} over a batch: no rule for it`);
  }
  const dims = axes.flatMap((axis) => dimOfAxis(x, axis) ?? []);
  const wide = dims.filter((dim) => value.dims[dim] !== 1);
  const counted = axes.filter((axis) => axis !== batchAxis);
  const stretches = sizeOf(counted.map((axis) => shape[axis]!)) /
    sizeOf(counted.map((axis) => value.dims[dimOfAxis(x, axis)!]!)) *
    (overBatch && x.inner !== null ? x.inner / value.dims[batchAxis]! : 1);
  let result = value;
  if (wide.length > 0 || overBatch) {
    const from = overBatch ? graph.cleaned(value) : value;
    const reduced = from.dims.map((size, dim) => dims.includes(dim) ? 1 : size);
    const batched = batchAxis !== null && !overBatch;
    result = graph.make(
      { kind: "reduce", take, axes: wide, batch: overBatch },
      [from],
      reduced,
      batched,
    );
  }
  if (take === "sum" && stretches !== 1) {
    result = graph.map((each) => call("mul", each, stretches), [result], result.dims);
  }
  const reducedShape = shape.map((size, axis) => axes.includes(axis) ? 1 : size);
  if (!overBatch) return { ...x, value: result, shape: reducedShape };
  const own = x.inner === null
    ? [...result.dims.slice(0, batchAxis), 1, ...result.dims.slice(batchAxis)]
    : result.dims;
  return plain(graph.reshape(result, own), reducedShape);
}

function reduction(make: (each: KernelCall, x: Symbolic, axes: number[]) => Symbolic): Rule {
  return (each) => {
    const { graph, input, attributes, samples } = each;
    const x = input("x");
    const axes = axesOf(attributes["axis"] ?? attributes["reductionIndices"], x.shape.length);
    const reduced = make(each, x, axes);
    if (attributes["keepDims"] === true) return { ...reduced, dtype: x.dtype };
    const shape = x.shape.filter((_, axis) => !axes.includes(axis));
    return { ...reshaped(graph, reduced, shape, samples), dtype: x.dtype };
  };
}

function softmax(each: KernelCall): Symbolic {
  const { graph, input } = each;
  const logits = input("logits");
  const axes = axesOf(each.attributes["dim"] ?? -1, logits.shape.length);
  const greatest = reduce(each, logits, "max", axes);
  const powers = elementwise(
    graph,
    (x, top) => call("exp", call("sub", x, top)),
    logits,
    greatest,
  );
  const total = reduce(each, powers, "sum", axes);
  return elementwise(graph, (x, sum) => call("div", x, sum), powers, total);
}

function logSoftmax(each: KernelCall): Symbolic {
  const { graph, input } = each;
  const logits = input("logits");
  const axes = axesOf(each.attributes["axis"] ?? -1, logits.shape.length);
  const greatest = reduce(each, logits, "max", axes);
  const shifted = elementwise(graph, (x, top) => call("sub", x, top), logits, greatest);
  const powers = elementwise(graph, (x) => call("exp", x), shifted);
  const total = reduce(each, powers, "sum", axes);
  return elementwise(graph, (x, sum) => call("sub", x, call("log", sum)), shifted, total);
}

export const reductionRules: Rules = {
  Sum: reduction((each, x, axes) => reduce(each, x, "sum", axes)),
  Max: reduction((each, x, axes) => reduce(each, x, "max", axes)),
  Min: reduction((each, x, axes) => reduce(each, x, "min", axes)),
  Mean: reduction((each, x, axes) => {
    const count = sizeOf(axes.map((axis) => x.shape[axis]!));
    const sum = reduce(each, x, "sum", axes);
    return elementwise(each.graph, (total) => call("div", total, count), sum);
  }),
  Softmax: softmax,
  LogSoftmax: logSoftmax,
};
