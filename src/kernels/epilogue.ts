/**
 * What a matrix kernel does with its sums before they are stored, so that bias, activation and
 * optimiser cost no pass of their own. In order:
 * `C = mask(relu(scale * sum + bias))`, or `C += ...` when it accumulates.
 */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32x4, v128 } from "./emitter/instructions.ts";
import type { Local, V128 } from "./emitter/value.ts";

export interface Epilogue {
  /** Operand `bias`: one float for each row, or one for each column. @default none */
  readonly bias?: "row" | "column";
  /** @default "none" */
  readonly activation?: "none" | "relu";
  /**
   * Operand `mask`, laid out as C: the result is kept where the mask is above 0, and 0 elsewhere.
   * The gradient of relu, given the activations it made. @default false
   */
  readonly mask?: boolean;
  /** Adds to what C holds. @default false */
  readonly accumulate?: boolean;
  /** A constant factor, or operand `scale`: the address of one float. @default 1 */
  readonly scale?: number | "operand";
}

/** Names of the operands that an epilogue needs beside the kernel's own, in their order. */
export type EpilogueOperand = "bias" | "mask" | "scale";

export function epilogueOperands(epilogue: Epilogue): EpilogueOperand[] {
  const operands: EpilogueOperand[] = [];
  if (epilogue.bias !== undefined) operands.push("bias");
  if (epilogue.mask === true) operands.push("mask");
  if (epilogue.scale === "operand") operands.push("scale");
  return operands;
}

/** Everything about an epilogue that changes code. */
export function epilogueKey(epilogue: Epilogue): string {
  const { bias = "", activation = "none", mask = false, accumulate = false, scale = 1 } = epilogue;
  return [bias, activation, mask ? "mask" : "", accumulate ? "acc" : "", scale].join(":");
}

/** A group of up to four neighbouring floats of C: where they are and how many of them exist. */
export interface OutputPlace {
  readonly c: Local<"i32">;
  /** Bytes from `c`, and from `mask`. */
  readonly offset: number;
  /** 4, or fewer at the end of a row. */
  readonly lanes: number;
  readonly mask?: Local<"i32"> | undefined;
  /** The bias of these floats, already a vector. */
  readonly bias?: V128 | undefined;
  /** The factor when it is an operand. */
  readonly scale?: V128 | undefined;
}

/** Applies an epilogue to a vector of sums and stores it. */
export function storeResult(
  f: FunctionBuilder,
  epilogue: Epilogue,
  sum: V128,
  place: OutputPlace,
): void {
  const { c, offset, lanes, mask, bias } = place;
  const { scale = 1, activation = "none" } = epilogue;
  let result = sum;
  const factor = place.scale ?? (scale === 1 ? undefined : f32x4.const(Number(scale)));
  if (factor !== undefined && bias !== undefined) result = f.multiplyAdd(result, factor, bias);
  else if (factor !== undefined) result = f32x4.mul(result, factor);
  else if (bias !== undefined) result = f32x4.add(result, bias);
  if (activation === "relu") result = f32x4.pmax(result, f32x4.const(0));
  if (mask !== undefined) {
    result = v128.and(result, f32x4.gt(v128.load(mask, offset), f32x4.const(0)));
  }
  if (epilogue.accumulate === true) result = f32x4.add(v128.load(c, offset), result);
  storeLanes(f, c, result, offset, lanes);
}

/** Stores the first 1 to 4 lanes of a vector and touches nothing behind them. */
export function storeLanes(
  f: FunctionBuilder,
  pointer: Local<"i32">,
  value: V128,
  offset: number,
  lanes: number,
): void {
  if (lanes === 4) return f.store(pointer, value, offset);
  const kept = f.let(value);
  if (lanes >= 2) f.storeLane(64, pointer, kept, 0, offset);
  if (lanes % 2 === 1) f.storeLane(32, pointer, kept, lanes - 1, offset + (lanes - 1) * 4);
}
