/** Kernels that compute each element from the elements in its place. */
import { call, type Expression, type FunctionName } from "../expression.ts";
import type { GraphBuilder } from "../graph.ts";
import { broadcastShape, dimsOf, plain, ranked, type Symbolic, withBatch } from "../symbol.ts";
import type { KernelCall, Rule, Rules, TypedSymbol } from "./rule.ts";

/** An expression of tensors, stretched to each other as tfjs does. */
export function elementwise(
  graph: GraphBuilder,
  expression: (...operands: Expression[]) => Expression,
  ...operands: readonly Symbolic[]
): Symbolic {
  const shape = broadcastShape(operands.map((operand) => operand.shape));
  const aligned = operands.map((operand) => ranked(graph, operand, shape.length));
  const leader = aligned.find(({ batchAxis }) => batchAxis !== null);
  if (leader === undefined) {
    const dims = broadcastShape(aligned.map(({ value }) => value.dims));
    return plain(graph.map(expression, aligned.map(({ value }) => value), dims), shape);
  }
  const { batchAxis, inner } = leader;
  const values = aligned.map((operand) => {
    if (operand.batchAxis !== null) return withBatch(graph, operand, leader).value;
    const { value } = operand;
    if (value.dims[batchAxis!] !== 1) return withBatch(graph, operand, leader).value;
    return inner === null ? graph.reshape(value, dimsOf(value.dims, leader)) : value;
  });
  const dims = broadcastShape(values.map((value) => value.dims));
  const value = graph.map(expression, values, dims);
  // A constant came out, the same for all samples.
  if (!value.batched) return plain(graph.reshape(value, shape.map(() => 1)), shape);
  return { value, shape, batchAxis, inner };
}

/**
 * A product; numbers that tfjs stretched over the samples (the gradient of a mean) become 0 behind
 * the last sample.
 */
function multiply({ graph, input }: KernelCall): Symbolic {
  const a = input("a");
  const b = input("b");
  const masked = (own: Symbolic, other: Symbolic): Symbolic => {
    if (own.batchAxis !== null || other.batchAxis === null) return own;
    const axis = other.batchAxis - other.shape.length + own.shape.length;
    if (axis < 0 || own.shape[axis] === 1 || own.value.dims[axis] !== 1) return own;
    return withBatch(graph, own, { batchAxis: axis, inner: other.inner });
  };
  return elementwise(graph, (x, y) => call("mul", x, y), masked(a, b), masked(b, a));
}

function unary(make: (x: Expression, attributes: KernelCall["attributes"]) => Expression): Rule {
  return ({ graph, input, attributes }) => {
    const x = input("x");
    return { ...elementwise(graph, (each) => make(each, attributes), x), dtype: x.dtype };
  };
}

function binary(f: FunctionName, dtype?: string): Rule {
  return ({ graph, input }) => {
    const a = input("a");
    const result = elementwise(graph, (x, y) => call(f, x, y), a, input("b"));
    return { ...result, dtype: dtype ?? a.dtype };
  };
}

function square(x: Expression): Expression {
  return call("mul", x, x);
}

function step(x: Expression, alpha: number): Expression {
  return call("add", call("gt", x, 0), alpha === 0 ? 0 : call("mul", alpha, call("le", x, 0)));
}

function clip(x: Expression, least: number, most: number): Expression {
  return call("min", call("max", x, least), most);
}

const SELU_SCALE = 1.0507009873554805;
const SELU_SCALED_ALPHA = 1.7580993408473768;

/** Activations by the names that fused kernels use. */
export function activate(name: string, x: Expression, leak: number): Expression {
  switch (name) {
    case "linear":
      return x;
    case "relu":
      return call("max", x, 0);
    case "relu6":
      return clip(x, 0, 6);
    case "sigmoid":
      return call("sigmoid", x);
    case "elu":
      return call("select", call("ge", x, 0), x, call("sub", call("exp", x), 1));
    case "leakyrelu":
      return call("select", call("gt", x, 0), x, call("mul", x, leak));
    default:
      throw new RangeError(`Cannot record activation "${name}": no rule for it`);
  }
}

function cast({ graph, input, attributes }: KernelCall): Symbolic & { dtype: string } {
  const x: TypedSymbol = input("x");
  const dtype = String(attributes["dtype"]);
  if (dtype === "int32" && x.dtype === "float32") {
    return { ...elementwise(graph, (each) => call("trunc", each), x), dtype };
  }
  if (dtype === "bool" && x.dtype !== "bool") {
    return { ...elementwise(graph, (each) => call("ne", each, 0), x), dtype };
  }
  return { ...x, dtype };
}

export const elementwiseRules: Rules = {
  Identity: ({ input }) => input("x"),
  Cast: cast,
  Add: binary("add"),
  Sub: binary("sub"),
  Multiply: (each) => ({ ...multiply(each), dtype: each.input("a").dtype }),
  RealDiv: binary("div"),
  Maximum: binary("max"),
  Minimum: binary("min"),
  Pow: binary("pow"),
  SquaredDifference: ({ graph, input }) =>
    elementwise(graph, (a, b) => square(call("sub", a, b)), input("a"), input("b")),
  Greater: binary("gt", "bool"),
  GreaterEqual: binary("ge", "bool"),
  Less: binary("lt", "bool"),
  LessEqual: binary("le", "bool"),
  Equal: binary("eq", "bool"),
  NotEqual: binary("ne", "bool"),
  LogicalAnd: binary("and", "bool"),
  LogicalOr: binary("or", "bool"),
  LogicalNot: unary((x) => call("not", x)),
  AddN: ({ graph, inputs }) => {
    const all = inputs();
    return all.slice(1).reduce<Symbolic>(
      (sum, each) => elementwise(graph, (a, b) => call("add", a, b), sum, each),
      all[0]!,
    );
  },
  Select: ({ graph, input }) =>
    elementwise(
      graph,
      (condition, a, b) => call("select", condition, a, b),
      input("condition"),
      input("t"),
      input("e"),
    ),
  ZerosLike: unary(() => 0),
  OnesLike: unary(() => 1),
  Neg: unary((x) => call("neg", x)),
  Abs: unary((x) => call("abs", x)),
  Sign: unary((x) => call("sub", call("gt", x, 0), call("lt", x, 0))),
  Square: unary(square),
  Sqrt: unary((x) => call("sqrt", x)),
  Rsqrt: unary((x) => call("div", 1, call("sqrt", x))),
  Reciprocal: unary((x) => call("div", 1, x)),
  Exp: unary((x) => call("exp", x)),
  Expm1: unary((x) => call("sub", call("exp", x), 1)),
  Log: unary((x) => call("log", x)),
  Log1p: unary((x) => call("log", call("add", 1, x))),
  Floor: unary((x) => call("floor", x)),
  Tanh: unary((x) => call("tanh", x)),
  Sigmoid: unary((x) => call("sigmoid", x)),
  Softplus: unary((x) =>
    call(
      "add",
      call("max", x, 0),
      call("log", call("add", 1, call("exp", call("neg", call("abs", x))))),
    )
  ),
  Relu: unary((x) => call("max", x, 0)),
  Relu6: unary((x) => clip(x, 0, 6)),
  Elu: unary((x) => activate("elu", x, 0)),
  EluGrad: ({ graph, input }) =>
    elementwise(
      graph,
      (dy, y) => call("select", call("ge", y, 0), dy, call("mul", dy, call("add", y, 1))),
      input("dy"),
      input("y"),
    ),
  Selu: unary((x) =>
    call(
      "select",
      call("ge", x, 0),
      call("mul", x, SELU_SCALE),
      call("mul", SELU_SCALED_ALPHA, call("sub", call("exp", x), 1)),
    )
  ),
  LeakyRelu: unary((x, { alpha }) => activate("leakyrelu", x, Number(alpha))),
  Prelu: ({ graph, input }) =>
    elementwise(
      graph,
      (x, alpha) => call("select", call("ge", x, 0), x, call("mul", alpha, x)),
      input("x"),
      input("alpha"),
    ),
  Step: unary((x, { alpha }) => step(x, Number(alpha ?? 0))),
  ClipByValue: unary((x, { clipValueMin, clipValueMax }) =>
    clip(x, Number(clipValueMin), Number(clipValueMax))
  ),
  FusedBatchNorm: ({ graph, input, has, attributes }) => {
    const optional = [
      ...(has("scale") ? [input("scale")] : []),
      ...(has("offset") ? [input("offset")] : []),
    ];
    const epsilon = Number(attributes["varianceEpsilon"] ?? 0.001);
    return elementwise(
      graph,
      (x, mean, variance, ...rest) => {
        const scaled = call(
          "div",
          call("sub", x, mean),
          call("sqrt", call("add", variance, epsilon)),
        );
        const scale = has("scale") ? rest[0]! : 1;
        const offset = has("offset") ? rest.at(-1)! : 0;
        return call("add", call("mul", scaled, scale), offset);
      },
      input("x"),
      input("mean"),
      input("variance"),
      ...optional,
    );
  },
};
