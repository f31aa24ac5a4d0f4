/** Matrix products between a batch and weights, and of two parts of a batch. */
import { type Finish, sizeOf, uniformValue, type Value } from "../graph.ts";
import { materialised, plain, reshaped, type Symbolic, unbatched, withBatch } from "../symbol.ts";
import { activate, elementwise } from "./elementwise.ts";
import { call } from "../expression.ts";
import { type KernelCall, refuse, type Rules } from "./rule.ts";

const PLAIN: Finish = {};

/** The matrix that a tensor with axes of 1 before it is. */
function asMatrix({ graph, samples }: KernelCall, x: Symbolic): Symbolic {
  const shape = x.shape.slice(-2);
  return reshaped(graph, x, shape, samples);
}

function matMul(each: KernelCall): Symbolic {
  const { graph, input, attributes, samples } = each;
  const transposeA = attributes["transposeA"] === true;
  const transposeB = attributes["transposeB"] === true;
  const leading = input("a").shape.slice(0, -2);
  if (sizeOf(leading) !== 1 || sizeOf(input("b").shape.slice(0, -2)) !== 1) {
    refuse(each, "multiplies several matrices at once");
  }
  const a = asMatrix(each, input("a"));
  const b = asMatrix(each, input("b"));
  const product = matrixProduct(each, a, b, transposeA, transposeB);
  const rank = Math.max(input("a").shape.length, input("b").shape.length);
  const shape = [...Array<number>(rank - 2).fill(1), ...product.shape];
  return reshaped(graph, product, shape, samples);
}

function matrixProduct(
  each: KernelCall,
  a: Symbolic,
  b: Symbolic,
  transposeA: boolean,
  transposeB: boolean,
): Symbolic {
  const { graph } = each;
  const aRows = transposeA ? 1 : 0;
  const bRows = transposeB ? 1 : 0;
  const shape = [a.shape[aRows]!, b.shape[1 - bRows]!];
  if (uniformValue(a.value) === 0 || uniformValue(b.value) === 0) {
    return plain(graph.constant(Float32Array.of(0), [1, 1]), shape);
  }
  // The same row for all samples, such as an initial state that is no zero.
  if (a.batchAxis === null && b.batchAxis === null && a.shape[0] === each.samples) {
    const rows = withBatch(graph, a, { batchAxis: 0, inner: null });
    return matrixProduct(each, rows, b, transposeA, transposeB);
  }
  // Samples are the summed axis of both: a weight gradient.
  if (a.batchAxis === 1 - aRows || b.batchAxis === bRows) {
    const leader = a.batchAxis === null ? b : a;
    if (!transposeA || transposeB) refuse(each, "sums over samples in an unknown order");
    const batch = { batchAxis: 0, inner: leader.inner };
    const x = materialised(graph, withBatch(graph, a, batch));
    const dy = materialised(graph, withBatch(graph, b, batch));
    return plain(weightGradient(each, x, dy, shape), shape);
  }
  if (a.batchAxis === 0 && !transposeA && b.batchAxis === null) {
    const x = materialised(graph, a);
    const w = unbatched(graph, b);
    const rows = x.dims.slice(0, -1);
    const value = graph.make(
      { kind: "dense", part: transposeB ? "inputGradient" : "forward", finish: PLAIN },
      [x, w],
      [...rows, shape[1]!],
      true,
    );
    return { ...a, value, shape };
  }
  return refuse(each, `multiplies [${a.shape}] by [${b.shape}] in an unknown way`);
}

/** One of the factors must be 0 behind the last sample. */
function weightGradient({ graph }: KernelCall, x: Value, dy: Value, dims: number[]): Value {
  const clean = x.clean ? dy : graph.cleaned(dy);
  const operation = { kind: "dense", part: "weightGradient", finish: PLAIN } as const;
  return graph.make(operation, [x, clean], dims, false);
}

/** Bias and activation of a fused kernel. */
export function finished(each: KernelCall, result: Symbolic): Symbolic {
  const { graph, has, input, attributes } = each;
  const activation = String(attributes["activation"] ?? "linear");
  const biased = has("bias")
    ? elementwise(graph, (x, bias) => call("add", x, bias), result, input("bias"))
    : result;
  if (activation === "prelu") refuse(each, "has a prelu activation");
  const leak = Number(attributes["leakyreluAlpha"] ?? 0);
  return elementwise(graph, (x) => activate(activation, x, leak), biased);
}

export const matrixRules: Rules = {
  BatchMatMul: matMul,
  _FusedMatMul: (each) => finished(each, matMul(each)),
};
