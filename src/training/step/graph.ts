/**
 * The graph of a training step: plain, immutable values in the order in which they are made. A
 * value has `dims`, its shape without the batch axis; a batched one lies in memory as
 * `[...dims][batch]`, others as `[...dims]`. All values are 32-bit floats.
 */
import type { Expression } from "./expression.ts";
import { call, expressionText, vanishes } from "./expression.ts";

/** Extents of a two-dimensional convolution or pooling, but for the batch. */
export interface WindowShape {
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly inputChannels: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly outputChannels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
  readonly padTop: number;
  readonly padLeft: number;
}

/** Which of the three related products of a layer: its output or one of its gradients. */
export type Part = "forward" | "inputGradient" | "weightGradient";

/**
 * What a matrix product or convolution does to its sums: adds an input (one a channel), applies
 * relu, then keeps only what stands where a further input is above 0. These inputs come last.
 */
export interface Finish {
  readonly bias?: boolean;
  readonly relu?: boolean;
  readonly mask?: boolean;
}

/** How a value is made of its inputs, which are named in brackets. */
export type Operation =
  /**
   * Items or targets of the batch, which stand in memory before the step: behind the last sample 0,
   * or for labels (class numbers) -1.
   */
  | { readonly kind: "input"; readonly name: "items" | "labels" | "targets" }
  /** A weight or other state, by its number: read as it was before the step. */
  | { readonly kind: "variable"; readonly slot: number }
  /** A number that is written before each step. */
  | { readonly kind: "scalar"; readonly name: string }
  | { readonly kind: "constant"; readonly values: Float32Array }
  /** 1 for each sample, 0 in the lanes behind the last. */
  | { readonly kind: "lanes" }
  /** Uniform numbers in [0, 1), new at each step. */
  | { readonly kind: "random"; readonly draw: number }
  /** An expression of each element [operands]; dims of 1 are stretched. */
  | { readonly kind: "map"; readonly expression: Expression }
  /** The same memory under other dims [value]. */
  | { readonly kind: "reshape" }
  /**
   * Matrix product. forward [x: rows x K, w: K x O]; inputGradient [dy: rows x O, w];
   * weightGradient [x, dy].
   */
  | { readonly kind: "dense"; readonly part: Part; readonly finish: Finish }
  /** forward [x, w]; inputGradient [dy, w]; weightGradient [x, dy]. */
  | {
    readonly kind: "conv2d" | "depthwise";
    readonly part: Part;
    readonly shape: WindowShape;
    readonly finish: Finish;
  }
  /** [x], averages count only what lies inside. */
  | { readonly kind: "pool"; readonly take: "max" | "average"; readonly shape: WindowShape }
  /**
   * max: [dy, x]; average: [dy], each input getting dy / (height * width of the kernel), at borders
   * too, as tfjs has it. `positive`: x <= 0 gets nothing, as if relu came before.
   */
  | {
    readonly kind: "poolGradient";
    readonly take: "max" | "average";
    readonly shape: WindowShape;
    readonly positive: boolean;
  }
  /** Over some dims, which become 1, and perhaps over the batch [value]. */
  | {
    readonly kind: "reduce";
    readonly take: "sum" | "max" | "min";
    readonly axes: readonly number[];
    readonly batch: boolean;
  }
  /** dims + [depth]: 1 where a class number is the index [classes]. */
  | { readonly kind: "oneHot"; readonly depth: number }
  /** Rows of a table by number [table: V x D, indices]; dims of indices + [D]. */
  | { readonly kind: "gather" }
  /** The gradient of gather for its table [rows, indices]. */
  | { readonly kind: "segmentSum"; readonly segments: number }
  | { readonly kind: "concat"; readonly axis: number }
  | { readonly kind: "slice"; readonly begin: readonly number[] }
  /** Surrounds with a constant [value]; `before` a number for each axis. */
  | { readonly kind: "pad"; readonly before: readonly number[]; readonly fill: number }
  | { readonly kind: "transpose"; readonly axes: readonly number[] };

/** One value of the graph. */
export interface Value {
  readonly id: number;
  readonly operation: Operation;
  readonly inputs: readonly Value[];
  readonly dims: readonly number[];
  readonly batched: boolean;
  /** A batched value that is 0 in the lanes behind the last sample. */
  readonly clean: boolean;
}

/** A variable and what it holds after the step. */
export interface Update {
  readonly slot: number;
  readonly value: Value;
}

/** What a step computes. */
export interface StepGraph {
  /** Number of samples. */
  readonly samples: number;
  /** Mean loss, one number. */
  readonly loss: Value;
  /** The model's outputs, batched. */
  readonly outputs: Value;
  readonly updates: readonly Update[];
}

export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

/** Makes values, each different one once. */
export class GraphBuilder {
  readonly #known = new Map<string, Value>();
  #count = 0;

  /** @param padded there are lanes behind the last sample */
  constructor(readonly padded: boolean) {}

  make(
    operation: Operation,
    inputs: readonly Value[],
    dims: readonly number[],
    batched: boolean,
  ): Value {
    const key = keyOf(operation, inputs, dims, batched);
    let value = this.#known.get(key);
    if (value === undefined) {
      const clean = batched && (!this.padded || isClean(operation, inputs));
      value = { id: this.#count++, operation, inputs, dims, batched, clean };
      this.#known.set(key, value);
    }
    return value;
  }

  constant(values: Float32Array, dims: readonly number[]): Value {
    return this.make({ kind: "constant", values }, [], dims, false);
  }

  /** An expression of operands; equal operands and constants are folded into it. */
  map(
    expression: (...operands: Expression[]) => Expression,
    operands: readonly Value[],
    dims: readonly number[],
  ): Value {
    const inputs: Value[] = [];
    const folded = expression(...operands.map((operand): Expression => {
      const constant = uniformValue(operand);
      if (constant !== null) return constant;
      const known = inputs.indexOf(operand);
      return { arg: known >= 0 ? known : inputs.push(operand) - 1 };
    }));
    return this.mapOf(folded, inputs, dims);
  }

  /** As `map`, of an expression whose operands are counted already. */
  mapOf(expression: Expression, inputs: readonly Value[], dims: readonly number[]): Value {
    if (typeof expression === "number") {
      return this.constant(Float32Array.of(expression), dims.map(() => 1));
    }
    const batched = inputs.some((input) => input.batched);
    if ("arg" in expression) {
      const operand = inputs[expression.arg]!;
      if (operand.batched === batched && sizeOf(operand.dims) === sizeOf(dims)) {
        return this.reshape(operand, dims);
      }
    }
    return this.make({ kind: "map", expression }, inputs, dims, batched);
  }

  reshape(value: Value, dims: readonly number[]): Value {
    if (String(value.dims) === String(dims)) return value;
    const from = value.operation.kind === "reshape" ? value.inputs[0]! : value;
    if (String(from.dims) === String(dims)) return from;
    if (from.operation.kind === "constant") return this.constant(from.operation.values, dims);
    return this.make({ kind: "reshape" }, [from], dims, value.batched);
  }

  /** The value with zeros in the lanes behind the last sample. */
  cleaned(value: Value): Value {
    if (!value.batched || value.clean) return value;
    const lanes = this.make({ kind: "lanes" }, [], value.dims.map(() => 1), true);
    return this.map((a, b) => call("mul", a, b), [value, lanes], value.dims);
  }

  /** A batched value with full dims made of one that may be stretched, or the same for all samples. */
  stretched(value: Value, dims: readonly number[], batched: boolean): Value {
    if (value.batched === batched && String(value.dims) === String(dims)) return value;
    const expression: Expression = { arg: 0 };
    if (value.batched === batched) {
      return this.make({ kind: "map", expression }, [value], dims, batched);
    }
    const lanes = this.make({ kind: "lanes" }, [], dims.map(() => 1), true);
    if (uniformValue(value) === 0) {
      // A product with 0 would be a constant again, which has no batch.
      const zero: Expression = { f: "sub", args: [{ arg: 0 }, { arg: 0 }] };
      return this.make({ kind: "map", expression: zero }, [lanes], dims, true);
    }
    return this.map((a, b) => call("mul", a, b), [value, lanes], dims);
  }
}

/** The number that all elements of a constant are, or null. */
export function uniformValue({ operation }: Value): number | null {
  if (operation.kind !== "constant") return null;
  const first = operation.values[0];
  return first !== undefined && operation.values.every((value) => Object.is(value, first))
    ? first
    : null;
}

function isClean(operation: Operation, inputs: readonly Value[]): boolean {
  switch (operation.kind) {
    case "input":
      return operation.name !== "labels";
    case "lanes":
    case "oneHot":
      return true;
    case "map":
      return vanishes(operation.expression, (index) => inputs[index]!.clean);
    case "dense":
    case "conv2d":
    case "depthwise":
      return inputs[0]!.clean && operation.finish.bias !== true;
    case "pool":
    case "poolGradient":
    case "reshape":
    case "reduce":
    case "slice":
    case "transpose":
      return inputs[0]!.clean;
    case "pad":
      return inputs[0]!.clean && operation.fill === 0;
    case "concat":
      return inputs.every((input) => input.clean);
    default:
      return false;
  }
}

const constantNumbers = new WeakMap<Float32Array, number>();
let constantCount = 0;

function keyOf(
  operation: Operation,
  inputs: readonly Value[],
  dims: readonly number[],
  batched: boolean,
): string {
  const { kind } = operation;
  let text: string;
  if (kind === "constant") {
    // Long constants are the same only if they are one array.
    if (operation.values.length <= 16) text = `constant ${[...operation.values].map(exact)}`;
    else {
      let number = constantNumbers.get(operation.values);
      if (number === undefined) {
        number = constantCount++;
        constantNumbers.set(operation.values, number);
      }
      text = `constant #${number}`;
    }
  } else {text = JSON.stringify(operation, (_, value) =>
      typeof value === "number" ? exact(value) : value);}
  return `${text} ${inputs.map(({ id }) => id)} [${dims}] ${batched}`;
}

/** JSON would make null of infinities and lose the sign of zero. */
function exact(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** All values that the results need, inputs before users. */
export function reachable({ loss, outputs, updates }: StepGraph): Value[] {
  const seen = new Set<Value>();
  const visit = (value: Value) => {
    if (seen.has(value)) return;
    value.inputs.forEach(visit);
    seen.add(value);
  };
  visit(outputs);
  visit(loss);
  for (const { value } of updates) visit(value);
  return [...seen].sort((a, b) => a.id - b.id);
}

/** A line for each value, for people. */
export function graphText(graph: StepGraph): string {
  return reachable(graph).map((value) => {
    const { operation, inputs, dims, batched } = value;
    const names = inputs.map(({ id }) => `%${id}`);
    const { kind, ...rest } = operation;
    const what = operation.kind === "map"
      ? expressionText(operation.expression, names)
      : operation.kind === "constant"
      ? `constant ${[...operation.values.slice(0, 4)]}`
      : `${kind}(${names.join(", ")}) ${JSON.stringify(rest)}`;
    return `%${value.id} [${dims}]${batched ? "[batch]" : ""} = ${what}`;
  }).join("\n");
}
