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
}

export type I32 = Value<"i32">;
export type F32 = Value<"f32">;
export type V128 = Value<"v128">;

/** Where a 32-bit integer is wanted, a plain number stands for the constant. */
export type I32Like = I32 | number;

/** Code of operands one after the other, checked against the types that an instruction takes. */
export function operands(name: string, types: readonly ValueType[], values: readonly Value[]) {
  const code: number[] = [];
  for (const [i, type] of types.entries()) {
    const value = values[i];
    if (value?.type !== type) {
      throw new TypeError(
        `Cannot emit ${name} as operand ${i + 1} must be ${type}: it is ${value?.type}`,
      );
    }
    for (const byte of value.code) code.push(byte);
  }
  return code;
}
