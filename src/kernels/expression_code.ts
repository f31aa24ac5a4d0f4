/**
 * Code of an elementwise expression for four floats at once; truth is 1, falsehood 0. A product
 * with a truth selects: 0 where it is false, whatever the other factor.
 */
import { exp, log, pow, sigmoid, tanh, wholePower } from "./elementary.ts";
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32x4, v128 } from "./emitter/instructions.ts";
import type { V128 } from "./emitter/value.ts";

/** Functions of an expression. */
export type ElementFunction =
  | ("add" | "sub" | "mul" | "div" | "max" | "min" | "pow")
  | ("neg" | "abs" | "sqrt" | "exp" | "log" | "tanh" | "sigmoid" | "floor" | "trunc")
  | ("gt" | "ge" | "lt" | "le" | "eq" | "ne" | "and" | "or" | "not" | "select");

/** A constant, operand number `arg`, or a function of expressions. */
export type ElementExpression =
  | number
  | { readonly arg: number }
  | { readonly f: ElementFunction; readonly args: readonly ElementExpression[] };

const COMPARISONS = { gt: 1, ge: 1, lt: 1, le: 1, eq: 1, ne: 1 } as const;
/** Whole powers up to this are products. */
const WHOLE_POWERS = 16;
const ZERO = f32x4.const(0);

/** An expression as text, the same for equal ones only. */
export function expressionKey(expression: ElementExpression): string {
  if (typeof expression === "number") return Object.is(expression, -0) ? "-0" : `${expression}`;
  if ("arg" in expression) return `#${expression.arg}`;
  return `${expression.f}(${expression.args.map(expressionKey).join()})`;
}

/** Writes the code of one expression; equal parts are computed once. */
export class ExpressionCode {
  readonly #known = new Map<string, V128>();

  /** @param operands as locals or loads that are cheap to repeat */
  constructor(readonly f: FunctionBuilder, readonly operands: readonly V128[]) {}

  /** The value as floats. */
  number(expression: ElementExpression): V128 {
    if (typeof expression === "number") return this.f.floats(expression);
    if ("arg" in expression) return this.operands[expression.arg]!;
    return this.#once(`number ${expressionKey(expression)}`, () => {
      const { f, args } = expression;
      if (isTruth(expression)) return v128.and(this.mask(expression), this.f.floats(1));
      if (f === "mul") {
        const truth = args.findIndex(isTruth);
        if (truth >= 0) return v128.and(this.number(args[1 - truth]!), this.mask(args[truth]!));
      }
      if (f === "select") {
        const [condition, a, b] = args as [ElementExpression, ElementExpression, ElementExpression];
        if (b === 0) return v128.and(this.number(a), this.mask(condition));
        return v128.bitselect(this.number(a), this.number(b), this.mask(condition));
      }
      return this.#arithmetic(f, args);
    });
  }

  /** The value as ones and zeros of all bits. */
  mask(expression: ElementExpression): V128 {
    return this.#once(`mask ${expressionKey(expression)}`, () => {
      if (typeof expression === "object" && "f" in expression) {
        const { f, args } = expression;
        if (f in COMPARISONS) {
          const compare = f32x4[f as keyof typeof COMPARISONS];
          return compare(this.number(args[0]!), this.number(args[1]!));
        }
        if (f === "and") return v128.and(this.mask(args[0]!), this.mask(args[1]!));
        if (f === "or") return v128.or(this.mask(args[0]!), this.mask(args[1]!));
        if (f === "not") return v128.not(this.mask(args[0]!));
      }
      return f32x4.ne(this.number(expression), ZERO);
    });
  }

  #arithmetic(name: ElementFunction, args: readonly ElementExpression[]): V128 {
    const { f } = this;
    const [x, y] = args;
    const a = () => this.number(x!);
    const b = () => this.number(y!);
    switch (name) {
      case "add":
      case "sub":
      case "mul":
      case "div":
        return f32x4[name](a(), b());
      case "max":
      case "min":
        // One instruction, where one that lets a NaN as second operand through takes several.
        return f32x4[name === "max" ? "pmax" : "pmin"](a(), b());
      case "neg":
      case "abs":
      case "sqrt":
      case "floor":
      case "trunc":
        return f32x4[name](a());
      case "exp":
        return exp(f, a());
      case "log":
        return log(f, a());
      case "tanh":
        return tanh(f, a());
      case "sigmoid":
        return sigmoid(f, a());
      case "pow":
        if (y === 0.5) return f32x4.sqrt(a());
        if (Number.isInteger(y) && Math.abs(Number(y)) <= WHOLE_POWERS) {
          return wholePower(f, a(), Number(y));
        }
        return pow(f, a(), b());
      default:
        throw new RangeError(`Cannot compute "${name}" as it is no function of numbers`);
    }
  }

  #once(key: string, make: () => V128): V128 {
    let value = this.#known.get(key);
    if (value === undefined) {
      value = this.f.let(make());
      this.#known.set(key, value);
    }
    return value;
  }
}

function isTruth(expression: ElementExpression): boolean {
  return typeof expression === "object" && "f" in expression &&
    (expression.f in COMPARISONS || ["and", "or", "not"].includes(expression.f));
}
