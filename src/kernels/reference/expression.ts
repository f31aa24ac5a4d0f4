/** Plain twin of the elementwise kernel, in double precision. */
import type { ElementExpression } from "../expression_code.ts";
import type { MapShape } from "../map.ts";

type Floats = Float32Array | Float64Array;

/** The value of an expression; truth is 1, falsehood 0. */
export function referenceExpression(
  expression: ElementExpression,
  operands: readonly number[],
): number {
  if (typeof expression === "number") return expression;
  if ("arg" in expression) return operands[expression.arg]!;
  const [a = NaN, b = NaN, c = NaN] = expression.args.map((arg) =>
    referenceExpression(arg, operands)
  );
  switch (expression.f) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return a * b;
    case "div":
      return a / b;
    case "max":
      return Math.max(a, b);
    case "min":
      return Math.min(a, b);
    case "pow":
      return a ** b;
    case "neg":
      return -a;
    case "sigmoid":
      return 1 / (1 + Math.exp(-a));
    case "abs":
    case "sqrt":
    case "exp":
    case "log":
    case "tanh":
    case "floor":
    case "trunc":
      return Math[expression.f](a);
    case "gt":
      return Number(a > b);
    case "ge":
      return Number(a >= b);
    case "lt":
      return Number(a < b);
    case "le":
      return Number(a <= b);
    case "eq":
      return Number(a === b);
    case "ne":
      return Number(a !== b);
    case "and":
      return Number(a !== 0 && b !== 0);
    case "or":
      return Number(a !== 0 || b !== 0);
    case "not":
      return Number(a === 0);
    case "select":
      return a !== 0 ? b : c;
  }
}

/** As `map`; changes `to`. */
export function referenceMap(
  { sizes, present, expression }: MapShape,
  operands: readonly Floats[],
  to: Floats,
): void {
  for (let at = 0; at < to.length; at++) {
    const indices = indicesOf(at, sizes);
    const values = operands.map((operand, i) => {
      let own = 0;
      sizes.forEach((size, axis) => {
        if (present[i]![axis]) own = own * size + indices[axis]!;
      });
      return operand[own]!;
    });
    to[at] = referenceExpression(expression, values);
  }
}

/** The index along each axis of element number `at`. */
export function indicesOf(at: number, sizes: readonly number[]): number[] {
  const indices: number[] = [];
  for (const size of sizes.toReversed()) {
    indices.unshift(at % size);
    at = Math.floor(at / size);
  }
  return indices;
}
