/** Kernels that move elements and compute nothing. */
import type { GraphBuilder, Value } from "../graph.ts";
import {
  broadcastShape,
  dimOfAxis,
  dimsOf,
  materialised,
  plain,
  reshaped,
  type Symbolic,
  withBatch,
} from "../symbol.ts";
import { elementwise } from "./elementwise.ts";
import { axesOf, type KernelCall, refuse, type Rules, type TypedSymbol } from "./rule.ts";

/** The dim of an axis that is a feature. */
function featureDim(each: KernelCall, symbol: Symbolic, axis: number): number {
  const dim = dimOfAxis(symbol, axis);
  if (dim === null || axis === symbol.batchAxis) refuse(each, "works along the batch");
  return dim;
}

/** Part of a tensor along all axes. */
function slice(
  each: KernelCall,
  x: TypedSymbol,
  begin: readonly number[],
  size: readonly number[],
): TypedSymbol {
  const { graph } = each;
  const shape = size.map((extent, axis) => extent < 0 ? x.shape[axis]! - begin[axis]! : extent);
  const { batchAxis, inner } = x;
  if (batchAxis !== null && shape[batchAxis] !== x.shape[batchAxis]) {
    refuse(each, "takes a part of the batch");
  }
  // What is stretched in name stays so.
  const own = x.value.dims;
  const dims = dimsOf(shape, x).map((extent, i) => own[i] === 1 ? 1 : extent);
  const first = dimsOf(begin, { batchAxis, inner: inner === null ? null : 0 });
  const starts = first.map((start, i) => own[i] === 1 ? 0 : start);
  const value = dims.every((extent, i) => extent === own[i])
    ? x.value
    : graph.make({ kind: "slice", begin: starts }, [x.value], dims, batchAxis !== null);
  return { value, shape, batchAxis, inner, dtype: x.dtype };
}

/** Tensors one behind the other. */
function concat(each: KernelCall, parts: readonly TypedSymbol[], axis: number): TypedSymbol {
  const { graph } = each;
  const present = parts.filter(({ shape }) => shape[axis] !== 0);
  const leader = present.find(({ batchAxis }) => batchAxis !== null) ?? present[0]!;
  const values = present.map((part) =>
    materialised(graph, leader.batchAxis === null ? part : withBatch(graph, part, leader))
  );
  const dim = featureDim(each, leader, axis);
  const total = present.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const shape = leader.shape.map((size, i) => i === axis ? total : size);
  const value = graph.make(
    { kind: "concat", axis: dim },
    values,
    dimsOf(shape, leader),
    leader.batchAxis !== null,
  );
  return { ...leader, value, shape };
}

function transpose(each: KernelCall): TypedSymbol {
  const x = each.input("x");
  const axes = each.attributes["perm"] as number[];
  const shape = axes.map((axis) => x.shape[axis]!);
  const batchAxis = x.batchAxis === null ? null : axes.indexOf(x.batchAxis);
  const order = axes.flatMap((axis) => dimOfAxis(x, axis) ?? []);
  const value = transposed(each.graph, x.value, order);
  return { value, shape, batchAxis, inner: x.inner, dtype: x.dtype };
}

/** Features in another order; moving dims of 1 moves nothing. */
export function transposed(graph: GraphBuilder, value: Value, order: readonly number[]): Value {
  const dims = order.map((axis) => value.dims[axis]!);
  const wide = order.filter((axis) => value.dims[axis] !== 1);
  if (wide.every((axis, i) => i === 0 || axis > wide[i - 1]!)) return graph.reshape(value, dims);
  return graph.make({ kind: "transpose", axes: order }, [value], dims, value.batched);
}

/** A tensor repeated along axes: in name only where the axis is 1. */
function tile(each: KernelCall): TypedSymbol {
  const x = each.input("x");
  const reps = each.attributes["reps"] as number[];
  let result: TypedSymbol = x;
  const shape = x.shape.map((size, axis) => size * reps[axis]!);
  reps.forEach((times, axis) => {
    if (times === 1 || x.shape[axis] === 1) return;
    result = concat(each, Array.from({ length: times }, () => result), axis);
  });
  if (x.batchAxis !== null && reps[x.batchAxis] !== 1) refuse(each, "repeats the batch");
  return { ...result, shape };
}

function stretchedTo(shape: readonly number[], x: Symbolic): Symbolic {
  return { ...x, shape };
}

export const shapeRules: Rules = {
  Reshape: ({ graph, samples, input, attributes }) => {
    const x = input("x");
    return { ...reshaped(graph, x, resolved(attributes["shape"], x), samples), dtype: x.dtype };
  },
  ExpandDims: ({ graph, samples, input, attributes }) => {
    const x = input("input");
    const shape = [...x.shape];
    const dim = Number(attributes["dim"]);
    shape.splice(dim < 0 ? dim + shape.length + 1 : dim, 0, 1);
    return { ...reshaped(graph, x, shape, samples), dtype: x.dtype };
  },
  Transpose: transpose,
  Tile: tile,
  BroadcastTo: (each) => {
    const x = each.input("x");
    const shape = each.attributes["shape"] as number[];
    if (x.shape.length !== shape.length) refuse(each, "adds axes");
    return { ...stretchedTo(broadcastShape([x.shape, shape]), x), dtype: x.dtype };
  },
  Fill: ({ graph, attributes }) => {
    const shape = attributes["shape"] as number[];
    const value = Number(attributes["value"]);
    const constant = graph.constant(Float32Array.of(value), shape.map(() => 1));
    return { ...plain(constant, shape), dtype: String(attributes["dtype"] ?? "float32") };
  },
  Slice: (each) =>
    slice(
      each,
      each.input("x"),
      each.attributes["begin"] as number[],
      each.attributes["size"] as number[],
    ),
  SplitV: (each) => {
    const x = each.input("x");
    const { numOrSizeSplits, axis: attribute } = each.attributes;
    const axis = axesOf(attribute, x.shape.length)[0]!;
    const sizes = splitSizes(numOrSizeSplits as number | number[], x.shape[axis]!);
    let start = 0;
    return sizes.map((extent) => {
      const begin = x.shape.map((_, i) => i === axis ? start : 0);
      start += extent;
      return slice(each, x, begin, x.shape.map((size, i) => i === axis ? extent : size));
    });
  },
  Unpack: (each) => {
    const x = each.input("value");
    const axis = axesOf(each.attributes["axis"], x.shape.length)[0]!;
    return Array.from({ length: x.shape[axis]! }, (_, index) => {
      const begin = x.shape.map((_, i) => i === axis ? index : 0);
      const part = slice(each, x, begin, x.shape.map((size, i) => i === axis ? 1 : size));
      const shape = part.shape.filter((_, i) => i !== axis);
      return { ...reshaped(each.graph, part, shape, each.samples), dtype: x.dtype };
    });
  },
  Concat: (each) => {
    const parts = each.inputs();
    return concat(each, parts, axesOf(each.attributes["axis"], parts[0]!.shape.length)[0]!);
  },
  Pack: (each) => {
    const parts = each.inputs();
    const axis = axesOf(each.attributes["axis"], parts[0]!.shape.length + 1)[0]!;
    const raised = parts.map((part) => {
      const shape = [...part.shape];
      shape.splice(axis, 0, 1);
      return { ...reshaped(each.graph, part, shape, each.samples), dtype: part.dtype };
    });
    return concat(each, raised, axis);
  },
  PadV2: (each) => {
    const { graph, attributes } = each;
    const x = each.input("x");
    const paddings = attributes["paddings"] as [number, number][];
    if (x.batchAxis !== null && paddings[x.batchAxis]!.some((size) => size !== 0)) {
      refuse(each, "pads the batch");
    }
    const shape = x.shape.map((size, i) => size + paddings[i]![0] + paddings[i]![1]);
    const before = dimsOf(paddings.map(([first]) => first), {
      batchAxis: x.batchAxis,
      inner: x.inner === null ? null : 0,
    });
    const value = graph.make(
      { kind: "pad", before, fill: Number(attributes["constantValue"] ?? 0) },
      [materialised(graph, x)],
      dimsOf(shape, x),
      x.batchAxis !== null,
    );
    return { ...x, value, shape };
  },
  GatherV2: ({ graph, input, attributes, ...rest }) => {
    const table = input("x");
    const indices = input("indices");
    const each = { graph, input, attributes, ...rest };
    if (table.batchAxis !== null || table.shape.length !== 2) {
      refuse(each, "gathers from the batch");
    }
    if (axesOf(attributes["axis"] ?? 0, 2)[0] !== 0 || Number(attributes["batchDims"] ?? 0) !== 0) {
      refuse(each, "gathers along another axis than the first");
    }
    const rows = materialised(graph, indices);
    const depth = table.shape[1]!;
    const value = graph.make(
      { kind: "gather" },
      [materialised(graph, table), rows],
      [...rows.dims, depth],
      rows.batched,
    );
    return { ...indices, value, shape: [...indices.shape, depth], dtype: table.dtype };
  },
  UnsortedSegmentSum: (each) => {
    const { graph, input, attributes } = each;
    const rows = input("x");
    const indices = input("segmentIds");
    const segments = Number(attributes["numSegments"]);
    if (rows.batchAxis === null || rows.shape.length !== 2 || indices.batchAxis !== 0) {
      refuse(each, "sums rows in an unknown way");
    }
    const value = graph.make(
      { kind: "segmentSum", segments },
      [graph.cleaned(materialised(graph, rows)), materialised(graph, indices)],
      [segments, rows.shape[1]!],
      false,
    );
    return plain(value, value.dims);
  },
  OneHot: (each) => {
    const { graph, input, attributes } = each;
    const indices = input("indices");
    const depth = Number(attributes["depth"]);
    const classes = materialised(graph, indices);
    if (indices.batchAxis === null) refuse(each, "codes numbers that are the same for all samples");
    const value = graph.make({ kind: "oneHot", depth }, [classes], [...classes.dims, depth], true);
    const on = Number(attributes["onValue"] ?? 1);
    const off = Number(attributes["offValue"] ?? 0);
    const coded = { ...indices, value, shape: [...indices.shape, depth] };
    if (on === 1 && off === 0) return { ...coded, dtype: "int32" };
    return elementwise(graph, (x) => ({ f: "select", args: [x, on, off] }), coded);
  },
};

function resolved(shape: unknown, x: Symbolic): number[] {
  const given = shape as number[];
  const known = given.reduce((product, size) => size < 0 ? product : product * size, 1);
  const total = x.shape.reduce((product, size) => product * size, 1);
  return given.map((size) => size < 0 ? total / known : size);
}

function splitSizes(given: number | number[], extent: number): number[] {
  if (typeof given === "number") return Array<number>(given).fill(extent / given);
  const known = given.reduce((sum, size) => size < 0 ? sum : sum + size, 0);
  return given.map((size) => size < 0 ? extent - known : size);
}
