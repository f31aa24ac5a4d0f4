/** Joins elementwise expressions with those of their operands that nothing else uses. */
import { arg, calls, type Expression, substitute } from "../expression.ts";
import { sizeOf, type Value } from "../graph.ts";
import { countUses, type Pass, rebuilt, rewrite } from "./rewrite.ts";

/** Operands and functions of one expression: more would not fit the registers. */
const MOST_OPERANDS = 8;
const MOST_CALLS = 40;

export const fuseMaps: Pass = (graph, builder) => {
  const uses = countUses(graph);
  return rewrite(graph, (value, inputs) => {
    const { operation } = value;
    if (operation.kind !== "map") return rebuilt(builder, value, inputs);
    const operands: Value[] = [];
    const numberOf = (operand: Value): number => {
      const known = operands.indexOf(operand);
      return known >= 0 ? known : operands.push(operand) - 1;
    };
    let room = MOST_CALLS - calls(operation.expression);
    const expressions = inputs.map((input, index): Expression => {
      const inner = input.operation;
      const fits = inner.kind === "map" && input.batched === value.batched &&
        sizeOf(input.dims) === sizeOf(value.dims) && uses.get(value.inputs[index]!) === 1 &&
        inputs.length + input.inputs.length <= MOST_OPERANDS && calls(inner.expression) <= room;
      if (!fits) return arg(numberOf(input));
      room -= calls(inner.expression);
      return substitute(inner.expression, (operand) => arg(numberOf(input.inputs[operand]!)));
    });
    const fused = substitute(operation.expression, (index) => expressions[index]!);
    return builder.mapOf(fused, operands, value.dims);
  });
};
