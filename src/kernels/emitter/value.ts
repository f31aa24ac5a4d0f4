/**
 * Typed expressions: a value is the code that leaves it on the stack. Expressions are immutable
 * and may be used many times; each use computes it again, so keep what is costly in a local.
 */
import { unsignedLeb } from "./leb128.ts";

/** The types a local, a parameter or an expression can have, with their binary codes. */
export const valueTypes = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;
export type ValueType = keyof typeof valueTypes;

/** An expression of a known type. */
export class Value<T extends ValueType = ValueType> {
  constructor(readonly type: T, readonly code: readonly number[]) {}
}

/** A parameter or local variable: readable as an expression, assignable with `set`. */
export class Local<T extends ValueType = ValueType> extends Value<T> {
  constructor(type: T, readonly index: number) {
    super(type, [0x20, ...unsignedLeb(index)]);
  }

  /** Code that assigns what lies on the stack. */
  get assignment(): readonly number[] {
    return [0x21, ...this.code.slice(1)];
  }
}

export type I32 = Value<"i32">;
export type F32 = Value<"f32">;
export type V128 = Value<"v128">;

/** Where a 32-bit integer is wanted, a plain number stands for the constant. */
export type I32Like = I32 | number;

/**
 * Code of an instruction: that of its operands one after the other, then its own.
 *
 * @param types that the instruction takes, which the operands must have
 */
export function instruction(
  name: string,
  types: readonly ValueType[],
  values: readonly Value[],
  own: readonly number[],
): number[] {
  // Thousands are made before the first step, so no iterators, and copies by the engine itself.
  for (let i = 0; i < types.length; i++) {
    if (values[i]?.type !== types[i]) {
      throw new TypeError(
        `Cannot emit ${name} as operand ${i + 1} must be ${types[i]}: it is ${values[i]?.type}`,
      );
    }
  }
  switch (types.length) {
    case 0:
      return [...own];
    case 1:
      return values[0]!.code.concat(own);
    case 2:
      return values[0]!.code.concat(values[1]!.code, own);
    default:
      return values[0]!.code.concat(...values.slice(1).map(({ code }) => code), own);
  }
}
