/**
 * Bias, relu and the mask of relu's gradient join the matrix product or convolution before them,
 * and the mask joins a pool gradient, which has the activations at hand.
 */
import type { Expression } from "../expression.ts";
import type { Finish, GraphBuilder, Operation, Value } from "../graph.ts";
import { countUses, type Pass, rebuilt, rewrite } from "./rewrite.ts";

export const finishProducts: Pass = (graph, builder) => {
  const uses = countUses(graph);
  return rewrite(graph, (value, inputs) => {
    const { operation } = value;
    if (operation.kind === "map") {
      // tfjs gives the results of its fused kernels another shape first.
      const single = (index: number) => {
        const input = value.inputs[index]!;
        const { kind } = input.operation;
        return [input, ...kind === "reshape" ? input.inputs : []].every((v) => uses.get(v) === 1);
      };
      const made = biased(builder, value, operation.expression, inputs, single) ??
        masked(builder, value, operation.expression, inputs, single);
      if (made !== null) return made;
    }
    return rebuilt(builder, value, inputs);
  });
};

/** `add(product, bias)`, or relu of it. */
function biased(
  builder: GraphBuilder,
  value: Value,
  whole: Expression,
  inputs: readonly Value[],
  single: (index: number) => boolean,
): Value | null {
  const relu = functionOf(whole, "max");
  const isRelu = relu !== null && relu[1] === 0;
  const sum = isRelu ? relu[0]! : whole;
  const terms = functionOf(sum, "add");
  const [product, bias] = terms === null ? [operandOf(sum), null] : terms.map(operandOf);
  if (typeof product !== "number" || (terms !== null && typeof bias !== "number")) return null;
  if (terms === null && !isRelu) return null;
  const made = withoutOnes(inputs[product]!);
  if (!single(product) || !isPlainForward(made)) return null;
  if (String(made.dims) !== String(withoutLeadingOnes(value.dims, made.dims.length))) return null;
  const shaped = (finished: Value) => builder.reshape(finished, value.dims);
  if (typeof bias !== "number") return shaped(finish(builder, made, [], { relu: true }));
  const added = inputs[bias]!;
  const channels = made.dims.at(-1)!;
  const isRow = !added.batched && added.dims.at(-1) === channels &&
    added.dims.slice(0, -1).every((size) => size === 1);
  if (!isRow) return null;
  const row = builder.reshape(added, [channels]);
  return shaped(finish(builder, made, [row], { bias: true, relu: isRelu }));
}

/** What a reshape puts axes of 1 before. */
function withoutOnes(value: Value): Value {
  if (value.operation.kind !== "reshape") return value;
  const [from] = value.inputs as [Value];
  const isSame = String(from.dims) === String(withoutLeadingOnes(value.dims, from.dims.length));
  return isSame ? from : value;
}

/** Dims without axes of 1 that are before the last `rank`. */
function withoutLeadingOnes(dims: readonly number[], rank: number): readonly number[] {
  const more = Math.max(0, dims.length - rank);
  return dims.slice(0, more).every((size) => size === 1) ? dims.slice(more) : dims;
}

/** `mul(product, gt(y, 0))`. */
function masked(
  builder: GraphBuilder,
  value: Value,
  whole: Expression,
  inputs: readonly Value[],
  single: (index: number) => boolean,
): Value | null {
  const factors = functionOf(whole, "mul");
  if (factors === null) return null;
  for (const [a, b] of [[factors[0]!, factors[1]!], [factors[1]!, factors[0]!]] as const) {
    const product = operandOf(a);
    const sign = functionOf(b, "gt");
    const mask = sign !== null && sign[1] === 0 ? operandOf(sign[0]!) : null;
    if (product === null || mask === null || !single(product)) continue;
    const made = inputs[product]!;
    const y = inputs[mask]!;
    if (String(made.dims) !== String(value.dims) || String(y.dims) !== String(value.dims)) continue;
    if (!y.batched || !made.batched) continue;
    const { operation } = made;
    if (operation.kind === "poolGradient" && operation.take === "max" && made.inputs[1] === y) {
      return builder.make({ ...operation, positive: true }, made.inputs, made.dims, true);
    }
    if ("finish" in operation && operation.part === "inputGradient" && isPlain(operation.finish)) {
      return finish(builder, made, [y], { mask: true });
    }
  }
  return null;
}

function finish(
  builder: GraphBuilder,
  made: Value,
  more: readonly Value[],
  parts: Finish,
): Value {
  const operation = made.operation as Extract<Operation, { readonly finish: Finish }>;
  return builder.make({ ...operation, finish: parts }, [...made.inputs, ...more], made.dims, true);
}

function isPlain(finish: Finish): boolean {
  return finish.bias !== true && finish.relu !== true && finish.mask !== true;
}

function isPlainForward({ operation }: Value): boolean {
  return "finish" in operation && operation.part === "forward" && isPlain(operation.finish);
}

function functionOf(expression: Expression, f: string): readonly Expression[] | null {
  return typeof expression === "object" && "f" in expression && expression.f === f
    ? expression.args
    : null;
}

function operandOf(expression: Expression): number | null {
  return typeof expression === "object" && "arg" in expression ? expression.arg : null;
}
