/**
 * The gradient of relu asks where its input was above 0: its output tells the same, and is kept
 * anyway, so the input need not be.
 */
import { arg, call, type Expression } from "../expression.ts";
import { reachable, type Value } from "../graph.ts";
import { type Pass, rebuilt, rewrite } from "./rewrite.ts";

/** Whether a value is relu of its only input. */
function isRelu({ operation }: Value): boolean {
  return operation.kind === "map" &&
    JSON.stringify(operation.expression) === JSON.stringify(call("max", arg(0), 0));
}

export const reluSigns: Pass = (graph, builder) => {
  const outputOf = new Map<Value, Value>();
  for (const value of reachable(graph)) {
    if (isRelu(value)) outputOf.set(value.inputs[0]!, value);
  }
  const fresh = new Map<Value, Value>();
  return rewrite(graph, (value, inputs) => {
    const { operation } = value;
    let made: Value;
    if (operation.kind === "map" && !isRelu(value)) {
      const operands = [...inputs];
      const replaced = signs(operation.expression, (index) => {
        const output = outputOf.get(value.inputs[index]!);
        const ready = output && fresh.get(output);
        return ready === undefined ? null : operands.push(ready) - 1;
      });
      const used = usedOperands(replaced);
      const expression = renumbered(replaced, (index) => used.indexOf(index));
      made = builder.mapOf(expression, used.map((index) => operands[index]!), value.dims);
    } else made = rebuilt(builder, value, inputs);
    fresh.set(value, made);
    return made;
  });
};

/** `gt(x, 0)` of an operand as `gt` of another, where there is one. */
function signs(expression: Expression, other: (index: number) => number | null): Expression {
  if (typeof expression === "number" || "arg" in expression) return expression;
  const [a, b] = expression.args;
  if (expression.f === "gt" && b === 0 && typeof a === "object" && "arg" in a) {
    const index = other(a.arg);
    return index === null ? expression : call("gt", arg(index), 0);
  }
  return { f: expression.f, args: expression.args.map((each) => signs(each, other)) };
}

/** Numbers of the operands that an expression has, in the order of their appearance. */
export function usedOperands(expression: Expression): number[] {
  if (typeof expression === "number") return [];
  if ("arg" in expression) return [expression.arg];
  return [...new Set(expression.args.flatMap(usedOperands))];
}

/** The expression with its operands under other numbers. */
export function renumbered(
  expression: Expression,
  number: (operand: number) => number,
): Expression {
  if (typeof expression === "number") return expression;
  if ("arg" in expression) return arg(number(expression.arg));
  return { f: expression.f, args: expression.args.map((each) => renumbered(each, number)) };
}
