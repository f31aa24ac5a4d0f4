/**
 * Tensors of a step that is being recorded: a value of the graph seen under a shape as tfjs knows
 * it, batch axis included. What tfjs stretches by multiplication with ones is stretched here only
 * in name: a dim of the value may be 1 where the shape says more.
 */
import { type GraphBuilder, sizeOf, type Value } from "./graph.ts";
import { NotRecordable } from "./not_recordable.ts";

/** A symbolic tensor. */
export interface Symbolic {
  readonly value: Value;
  readonly shape: readonly number[];
  /** Which axis is the batch; null if the tensor has none, or is the same for all samples. */
  readonly batchAxis: number | null;
  /**
   * Features in the batch axis: [samples, time, units] seen as [samples * time, units] has `time`
   * of them, and the value has a dim for it in this place. Null if the axis is the batch alone.
   */
  readonly inner: number | null;
}

/** A tensor without batch. */
export function plain(value: Value, shape: readonly number[]): Symbolic {
  return { value, shape, batchAxis: null, inner: null };
}

/** A tensor whose batch axis is the batch alone. */
export function batched(value: Value, shape: readonly number[], batchAxis: number): Symbolic {
  return { value, shape, batchAxis, inner: null };
}

/** `shape` without the batch: the axis is left out, or is its inner features. */
export function dimsOf(
  shape: readonly number[],
  { batchAxis, inner }: Pick<Symbolic, "batchAxis" | "inner">,
): number[] {
  return shape.flatMap((size, axis) => axis !== batchAxis ? [size] : inner === null ? [] : [inner]);
}

/** The dims of the value if nothing were stretched. */
export function fullDims(symbol: Symbolic): number[] {
  return dimsOf(symbol.shape, symbol);
}

/** The dim of the value that is an axis of the shape, or null for the batch. */
export function dimOfAxis({ batchAxis, inner }: Symbolic, axis: number): number | null {
  if (axis === batchAxis) return inner === null ? null : axis;
  return batchAxis !== null && inner === null && axis > batchAxis ? axis - 1 : axis;
}

/** The value with nothing stretched. */
export function materialised(graph: GraphBuilder, symbol: Symbolic): Value {
  return graph.stretched(symbol.value, fullDims(symbol), symbol.batchAxis !== null);
}

/** The value, nothing stretched, with a batch at this axis. */
export function batchedAt(graph: GraphBuilder, symbol: Symbolic, axis: number): Value {
  return materialised(graph, withBatch(graph, symbol, { batchAxis: axis, inner: null }));
}

/** The tensor with a batch: one that is the same for all samples gets it in name only. */
export function withBatch(
  graph: GraphBuilder,
  symbol: Symbolic,
  wanted: Pick<Symbolic, "batchAxis" | "inner">,
): Symbolic {
  const { value, shape, batchAxis, inner } = symbol;
  if (batchAxis === wanted.batchAxis && inner === wanted.inner) return symbol;
  if (batchAxis !== null) {
    throw new NotRecordable(`an operation mixes samples: its operand of shape [${shape}]`);
  }
  const axis = wanted.batchAxis!;
  if (value.dims[axis] !== 1) {
    throw new NotRecordable(
      `it uses a tensor of shape [${shape}] with numbers of its own for each sample`,
    );
  }
  const dims = wanted.inner === null ? value.dims.filter((_, i) => i !== axis) : value.dims;
  const stretched = graph.stretched(graph.reshape(value, dims), dims, true);
  return { value: stretched, shape, ...wanted };
}

/** The value of a tensor without batch. */
export function unbatched(graph: GraphBuilder, symbol: Symbolic): Value {
  if (symbol.batchAxis !== null) {
    throw new NotRecordable("it uses a tensor of the batch where weights are expected");
  }
  return materialised(graph, symbol);
}

/**
 * Another shape of the same elements.
 *
 * @throws {NotRecordable} samples would be mixed with features
 */
export function reshaped(
  graph: GraphBuilder,
  symbol: Symbolic,
  shape: readonly number[],
  samples: number,
): Symbolic {
  if (String(shape) === String(symbol.shape)) return symbol;
  const batch = symbol.batchAxis === null
    ? { batchAxis: null, inner: null }
    : newBatchAxis(symbol.shape, symbol.batchAxis, shape, samples);
  const to = dimsOf(shape, batch);
  const kept = keptDims(symbol, to);
  const value = kept === null
    ? graph.reshape(materialised(graph, symbol), to)
    : graph.reshape(symbol.value, kept);
  return { value, shape, ...batch };
}

/** The axis of `samples`, or of a multiple, with as many elements before it as the old one has. */
function newBatchAxis(
  from: readonly number[],
  batchAxis: number,
  to: readonly number[],
  samples: number,
): Pick<Symbolic, "batchAxis" | "inner"> {
  const before = sizeOf(from.slice(0, batchAxis));
  const starts = to.map((_, axis) => sizeOf(to.slice(0, axis)) === before);
  const exact = to.findIndex((size, axis) => starts[axis] && size === samples);
  if (exact >= 0) return { batchAxis: exact, inner: null };
  const wide = to.findIndex((size, axis) => starts[axis] && size % samples === 0);
  if (wide < 0 || to[wide] === 0) {
    throw new NotRecordable(`it reshapes [${from}] to [${to}], which mixes samples with features`);
  }
  return { batchAxis: wide, inner: to[wide]! / samples };
}

/** Dims of the reshaped value while axes stay stretched, or null if that is not simple. */
function keptDims(symbol: Symbolic, to: readonly number[]): number[] | null {
  const { dims } = symbol.value;
  if (dims.every((size) => size === 1)) return to.map(() => 1);
  const full = fullDims(symbol);
  const kept = dims.filter((_, i) => full[i] !== 1);
  if (String(full.filter((size) => size !== 1)) !== String(to.filter((size) => size !== 1))) {
    return null;
  }
  let next = 0;
  return to.map((size) => size === 1 ? 1 : kept[next++]!);
}

/** The shape that tfjs stretches shapes to. */
export function broadcastShape(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
}

/** The tensor with axes of 1 before its own, up to a rank. */
export function ranked(graph: GraphBuilder, symbol: Symbolic, rank: number): Symbolic {
  const more = rank - symbol.shape.length;
  if (more === 0) return symbol;
  const ones = Array<number>(more).fill(1);
  return {
    value: graph.reshape(symbol.value, [...ones, ...symbol.value.dims]),
    shape: [...ones, ...symbol.shape],
    batchAxis: symbol.batchAxis === null ? null : symbol.batchAxis + more,
    inner: symbol.inner,
  };
}
