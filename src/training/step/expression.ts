/**
 * Elementwise expressions: what a `map` computes for one element from the elements of its
 * operands. Truth is 1, falsehood 0, as all numbers of a plan are 32-bit floats.
 */

/** Functions by name, with what they compute; the reference for the kernels. */
export const FUNCTIONS = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  max: (a: number, b: number) => Math.max(a, b),
  min: (a: number, b: number) => Math.min(a, b),
  pow: (a: number, b: number) => a ** b,
  neg: (a: number) => -a,
  abs: (a: number) => Math.abs(a),
  sqrt: (a: number) => Math.sqrt(a),
  exp: (a: number) => Math.exp(a),
  log: (a: number) => Math.log(a),
  tanh: (a: number) => Math.tanh(a),
  sigmoid: (a: number) => 1 / (1 + Math.exp(-a)),
  floor: (a: number) => Math.floor(a),
  trunc: (a: number) => Math.trunc(a),
  gt: (a: number, b: number) => a > b ? 1 : 0,
  ge: (a: number, b: number) => a >= b ? 1 : 0,
  lt: (a: number, b: number) => a < b ? 1 : 0,
  le: (a: number, b: number) => a <= b ? 1 : 0,
  eq: (a: number, b: number) => a === b ? 1 : 0,
  ne: (a: number, b: number) => a !== b ? 1 : 0,
  and: (a: number, b: number) => a !== 0 && b !== 0 ? 1 : 0,
  or: (a: number, b: number) => a !== 0 || b !== 0 ? 1 : 0,
  not: (a: number) => a === 0 ? 1 : 0,
  select: (condition: number, a: number, b: number) => condition !== 0 ? a : b,
} as const;

export type FunctionName = keyof typeof FUNCTIONS;

/** A constant, operand number `arg`, or a function of expressions. */
export type Expression =
  | number
  | { readonly arg: number }
  | { readonly f: FunctionName; readonly args: readonly Expression[] };

/** Operand number `index`. */
export function arg(index: number): Expression {
  return { arg: index };
}

/** A function of expressions, worked out at once if all are constants. */
export function call(f: FunctionName, ...args: readonly Expression[]): Expression {
  if (args.every((each) => typeof each === "number")) {
    return Math.fround((FUNCTIONS[f] as (...values: number[]) => number)(...args as number[]));
  }
  const [a, b] = args;
  if (f === "mul" && b === 1) return a!;
  if (f === "mul" && a === 1) return b!;
  if ((f === "mul" && (a === 0 || b === 0)) || (f === "div" && a === 0)) return 0;
  if ((f === "add" || f === "sub") && b === 0) return a!;
  if (f === "add" && a === 0) return b!;
  if (f === "div" && b === 1) return a!;
  if (f === "neg" && typeof a === "object" && "f" in a && a.f === "neg") return a.args[0]!;
  return { f, args };
}

/** The value for one element. */
export function evaluate(expression: Expression, operands: readonly number[]): number {
  if (typeof expression === "number") return expression;
  if ("arg" in expression) return operands[expression.arg]!;
  const values = expression.args.map((each) => evaluate(each, operands));
  return Math.fround((FUNCTIONS[expression.f] as (...values: number[]) => number)(...values));
}

/** The same expression with each operand replaced. */
export function substitute(
  expression: Expression,
  replace: (operand: number) => Expression,
): Expression {
  if (typeof expression === "number") return expression;
  if ("arg" in expression) return replace(expression.arg);
  return call(expression.f, ...expression.args.map((each) => substitute(each, replace)));
}

/** Number of function calls. */
export function calls(expression: Expression): number {
  if (typeof expression === "number" || "arg" in expression) return 0;
  return expression.args.reduce<number>((sum, each) => sum + calls(each), 1);
}

/** Whether the value is 0 if the operands of which `isZero` are 0 (and the others are finite). */
export function vanishes(expression: Expression, isZero: (operand: number) => boolean): boolean {
  if (typeof expression === "number") return expression === 0;
  if ("arg" in expression) return isZero(expression.arg);
  const [a = false, b = false, c = false] = expression.args.map((each) => vanishes(each, isZero));
  switch (expression.f) {
    case "mul":
    case "and":
      return a || b;
    case "div":
    case "neg":
    case "abs":
    case "sqrt":
    case "tanh":
    case "floor":
    case "trunc":
      return a;
    case "add":
    case "sub":
    case "max":
    case "min":
    case "gt":
    case "lt":
    case "ne":
    case "or":
      return a && b;
    case "select":
      return b && c;
    default:
      return false;
  }
}

/** As text: `mul(a, gt(b, 0))`. */
export function expressionText(expression: Expression, names: readonly string[] = []): string {
  // Seven digits tell 32-bit floats apart well enough for people.
  if (typeof expression === "number") return String(Number(expression.toPrecision(7)));
  if ("arg" in expression) return names[expression.arg] ?? `$${expression.arg}`;
  return `${expression.f}(${
    expression.args.map((each) => expressionText(each, names)).join(", ")
  })`;
}
