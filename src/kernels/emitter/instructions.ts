/**
 * The instructions as functions from values to values, under the names of the text format:
 * `f32x4.add(a, b)`, `v128.load(pointer, 16)`. Addresses and offsets are in bytes.
 */
import { signedLeb, unsignedLeb } from "./leb128.ts";
import { memoryScalar, memoryVector, scalar, vector } from "./opcodes.ts";
import { type F32, type I32, type I32Like, instruction, type V128, Value } from "./value.ts";
import type { ValueType } from "./value.ts";

const SIMD = 0xfd;

/** The constant that a plain number stands for, or the value itself. */
export function asI32(value: I32Like): I32 {
  if (typeof value !== "number") return value;
  return new Value("i32", [0x41, ...signedLeb(value)]);
}

/** The own code of a load or store of vectors. */
function vectorAccess(name: keyof typeof memoryVector, offset: number): number[] {
  const [code, align] = memoryVector[name];
  return [SIMD, ...unsignedLeb(code), align, ...unsignedLeb(offset)];
}

function scalarAccess(name: keyof typeof memoryScalar, offset: number): number[] {
  return [...memoryScalar[name], ...unsignedLeb(offset)];
}

/** The code of a store of any kind, to be appended as a statement. */
export function storeCode(
  name: keyof typeof memoryScalar | keyof typeof memoryVector,
  pointer: I32Like,
  value: Value,
  offset: number,
  lane?: number,
): number[] {
  const isVector = name in memoryVector;
  const type: ValueType = isVector ? "v128" : name.startsWith("f32") ? "f32" : "i32";
  const own = isVector
    ? vectorAccess(name as keyof typeof memoryVector, offset)
    : scalarAccess(name as keyof typeof memoryScalar, offset);
  if (lane !== undefined) own.push(lane);
  return instruction(name, ["i32", type], [asI32(pointer), value], own);
}

function scalarLoad<T extends "i32" | "f32">(name: keyof typeof memoryScalar, type: T) {
  return (pointer: I32Like, offset = 0): Value<T> =>
    new Value(type, instruction(name, ["i32"], [asI32(pointer)], scalarAccess(name, offset)));
}

function vectorLoad(name: keyof typeof memoryVector) {
  return (pointer: I32Like, offset = 0): V128 =>
    new Value("v128", instruction(name, ["i32"], [asI32(pointer)], vectorAccess(name, offset)));
}

function laneLoad(name: "v128.load32_lane" | "v128.load64_lane") {
  return (pointer: I32Like, into: V128, lane: number, offset = 0): V128 => {
    const own = [...vectorAccess(name, offset), lane];
    return new Value("v128", instruction(name, ["i32", "v128"], [asI32(pointer), into], own));
  };
}

function operation<T extends ValueType>(
  name: keyof typeof scalar,
  types: readonly ValueType[],
  result: T,
): (values: readonly Value[]) => Value<T> {
  const own = [scalar[name]];
  return (values) => new Value(result, instruction(name, types, values, own));
}

function integer2(name: keyof typeof scalar) {
  const emit = operation(name, ["i32", "i32"], "i32");
  return (a: I32Like, b: I32Like): I32 => emit([asI32(a), asI32(b)]);
}

function float1(name: keyof typeof scalar) {
  const emit = operation(name, ["f32"], "f32");
  return (a: F32): F32 => emit([a]);
}

function float2<T extends "i32" | "f32">(name: keyof typeof scalar, result: T) {
  const emit = operation(name, ["f32", "f32"], result);
  return (a: F32, b: F32): Value<T> => emit([a, b]);
}

function simd<T extends ValueType>(
  name: keyof typeof vector,
  types: readonly ValueType[],
  result: T,
): (values: readonly Value[]) => Value<T> {
  const own = [SIMD, ...unsignedLeb(vector[name])];
  return (values) => new Value(result, instruction(name, types, values, own));
}

function vector1(name: keyof typeof vector) {
  const emit = simd(name, ["v128"], "v128");
  return (a: V128): V128 => emit([a]);
}

function vector2(name: keyof typeof vector) {
  const emit = simd(name, ["v128", "v128"], "v128");
  return (a: V128, b: V128): V128 => emit([a, b]);
}

function vector3(name: keyof typeof vector) {
  const emit = simd(name, ["v128", "v128", "v128"], "v128");
  return (a: V128, b: V128, c: V128): V128 => emit([a, b, c]);
}

function shift(name: keyof typeof vector) {
  const emit = simd(name, ["v128", "i32"], "v128");
  return (a: V128, bits: I32Like): V128 => emit([a, asI32(bits)]);
}

function test(name: keyof typeof vector) {
  const emit = simd(name, ["v128"], "i32");
  return (a: V128): I32 => emit([a]);
}

function extractLane<T extends "i32" | "f32">(type: T, code: number) {
  return (a: V128, lane: number): Value<T> =>
    new Value(type, instruction("extract_lane", ["v128"], [a], [SIMD, code, laneOf(lane, 4)]));
}

function laneOf(lane: number, lanes: number): number {
  if (!Number.isInteger(lane) || lane < 0 || lane >= lanes) {
    throw new RangeError(`Cannot use lane ${lane} as there are lanes 0 to ${lanes - 1}`);
  }
  return lane;
}

function bytesOf(lanes: Float32Array | Float64Array | Int32Array): number[] {
  return [...new Uint8Array(lanes.buffer)];
}

/** 32-bit integers: addresses, counters, conditions (0 is false). */
export const i32 = {
  const: asI32,
  load: scalarLoad("i32.load", "i32"),
  load8U: scalarLoad("i32.load8_u", "i32"),
  load8S: scalarLoad("i32.load8_s", "i32"),
  load16U: scalarLoad("i32.load16_u", "i32"),
  add: integer2("i32.add"),
  sub: integer2("i32.sub"),
  mul: integer2("i32.mul"),
  divU: integer2("i32.div_u"),
  remU: integer2("i32.rem_u"),
  and: integer2("i32.and"),
  or: integer2("i32.or"),
  xor: integer2("i32.xor"),
  shl: integer2("i32.shl"),
  shrS: integer2("i32.shr_s"),
  shrU: integer2("i32.shr_u"),
  eq: integer2("i32.eq"),
  ne: integer2("i32.ne"),
  ltS: integer2("i32.lt_s"),
  ltU: integer2("i32.lt_u"),
  gtS: integer2("i32.gt_s"),
  leS: integer2("i32.le_s"),
  geS: integer2("i32.ge_s"),
  eqz(a: I32): I32 {
    return new Value("i32", instruction("i32.eqz", ["i32"], [a], [scalar["i32.eqz"]]));
  },
};

/** Single floats, for what cannot be done four at a time. */
export const f32 = {
  const(value: number): F32 {
    return new Value("f32", [0x43, ...bytesOf(Float32Array.of(value))]);
  },
  load: scalarLoad("f32.load", "f32"),
  add: float2("f32.add", "f32"),
  sub: float2("f32.sub", "f32"),
  mul: float2("f32.mul", "f32"),
  div: float2("f32.div", "f32"),
  min: float2("f32.min", "f32"),
  max: float2("f32.max", "f32"),
  eq: float2("f32.eq", "i32"),
  lt: float2("f32.lt", "i32"),
  gt: float2("f32.gt", "i32"),
  abs: float1("f32.abs"),
  neg: float1("f32.neg"),
  sqrt: float1("f32.sqrt"),
  convertI32S(a: I32): F32 {
    const name = "f32.convert_i32_s";
    return new Value("f32", instruction(name, ["i32"], [a], [scalar[name]]));
  },
};

/** 128 bits of any meaning: memory, bits, shuffles. */
export const v128 = {
  load: vectorLoad("v128.load"),
  /** One float in all four lanes. */
  load32Splat: vectorLoad("v128.load32_splat"),
  /** One double in both lanes. */
  load64Splat: vectorLoad("v128.load64_splat"),
  /** One or two floats in the first lanes, zero in the others. */
  load32Zero: vectorLoad("v128.load32_zero"),
  load64Zero: vectorLoad("v128.load64_zero"),
  /** Four integers of 16 bits, each in 32 bits. */
  load16x4U: vectorLoad("v128.load16x4_u"),
  load32Lane: laneLoad("v128.load32_lane"),
  load64Lane: laneLoad("v128.load64_lane"),
  not: vector1("v128.not"),
  and: vector2("v128.and"),
  /** `a & ~b`. */
  andnot: vector2("v128.andnot"),
  or: vector2("v128.or"),
  xor: vector2("v128.xor"),
  /** Bits of `a` where `mask` has ones, of `b` elsewhere. */
  bitselect: vector3("v128.bitselect"),
  anyTrue: test("v128.any_true"),
};

/** Four floats. */
export const f32x4 = {
  /** The same constant in all lanes, or one constant a lane. */
  const(...lanes: [number] | [number, number, number, number]): V128 {
    const four = Float32Array.from({ length: 4 }, (_, i) => lanes[i] ?? lanes[0]);
    return new Value("v128", [SIMD, 0x0c, ...bytesOf(four)]);
  },
  splat(a: F32): V128 {
    const own = [SIMD, ...unsignedLeb(vector["f32x4.splat"])];
    return new Value("v128", instruction("f32x4.splat", ["f32"], [a], own));
  },
  extractLane: extractLane("f32", 0x1f),
  /** Lanes by number from `a` (0 to 3) and `b` (4 to 7). */
  shuffle(a: V128, b: V128, ...lanes: [number, number, number, number]): V128 {
    const bytes = lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => laneOf(lane, 8) * 4 + byte));
    const own = [SIMD, 0x0d, ...bytes];
    return new Value("v128", instruction("shuffle", ["v128", "v128"], [a, b], own));
  },
  add: vector2("f32x4.add"),
  sub: vector2("f32x4.sub"),
  mul: vector2("f32x4.mul"),
  div: vector2("f32x4.div"),
  min: vector2("f32x4.min"),
  max: vector2("f32x4.max"),
  /** `b < a ? b : a`, one instruction of the processor, where `min` takes several. */
  pmin: vector2("f32x4.pmin"),
  /** `a < b ? b : a`, one instruction of the processor, where `max` takes several. */
  pmax: vector2("f32x4.pmax"),
  abs: vector1("f32x4.abs"),
  neg: vector1("f32x4.neg"),
  sqrt: vector1("f32x4.sqrt"),
  ceil: vector1("f32x4.ceil"),
  floor: vector1("f32x4.floor"),
  trunc: vector1("f32x4.trunc"),
  /** To the nearest integer, ties to even. */
  nearest: vector1("f32x4.nearest"),
  eq: vector2("f32x4.eq"),
  ne: vector2("f32x4.ne"),
  lt: vector2("f32x4.lt"),
  gt: vector2("f32x4.gt"),
  le: vector2("f32x4.le"),
  ge: vector2("f32x4.ge"),
  /** Two doubles as floats in the first lanes, zero in the others. */
  demoteF64x2: vector1("f32x4.demote_f64x2_zero"),
  convertI32x4S: vector1("f32x4.convert_i32x4_s"),
  /** `a * b + c`, rounded once where the processor can: use `multiplyAdd` of the builder. */
  relaxedMadd: vector3("f32x4.relaxed_madd"),
};

/** Two doubles. */
export const f64x2 = {
  /** The same constant in both lanes. */
  const(value: number): V128 {
    return new Value("v128", [SIMD, 0x0c, ...bytesOf(Float64Array.of(value, value))]);
  },
  add: vector2("f64x2.add"),
  mul: vector2("f64x2.mul"),
  /** To the nearest integer, ties to even. */
  nearest: vector1("f64x2.nearest"),
  /** The first two 32-bit integers as doubles. */
  convertLowI32x4S: vector1("f64x2.convert_low_i32x4_s"),
  /** The first two floats as doubles. */
  promoteLow: vector1("f64x2.promote_low_f32x4"),
};

/** Four 32-bit integers. */
export const i32x4 = {
  const(...lanes: [number] | [number, number, number, number]): V128 {
    const four = Int32Array.from({ length: 4 }, (_, i) => lanes[i] ?? lanes[0]);
    return new Value("v128", [SIMD, 0x0c, ...bytesOf(four)]);
  },
  splat(a: I32Like): V128 {
    const own = [SIMD, ...unsignedLeb(vector["i32x4.splat"])];
    return new Value("v128", instruction("i32x4.splat", ["i32"], [asI32(a)], own));
  },
  extractLane: extractLane("i32", 0x1b),
  add: vector2("i32x4.add"),
  sub: vector2("i32x4.sub"),
  mul: vector2("i32x4.mul"),
  min: vector2("i32x4.min_s"),
  max: vector2("i32x4.max_s"),
  abs: vector1("i32x4.abs"),
  neg: vector1("i32x4.neg"),
  eq: vector2("i32x4.eq"),
  ne: vector2("i32x4.ne"),
  lt: vector2("i32x4.lt_s"),
  ltU: vector2("i32x4.lt_u"),
  gt: vector2("i32x4.gt_s"),
  le: vector2("i32x4.le_s"),
  ge: vector2("i32x4.ge_s"),
  shl: shift("i32x4.shl"),
  shrS: shift("i32x4.shr_s"),
  shrU: shift("i32x4.shr_u"),
  truncSatF32x4S: vector1("i32x4.trunc_sat_f32x4_s"),
  /** Two doubles as integers in the first lanes, zero in the others. */
  truncSatF64x2S: vector1("i32x4.trunc_sat_f64x2_s_zero"),
  extendLowI16x8S: vector1("i32x4.extend_low_i16x8_s"),
  allTrue: test("i32x4.all_true"),
};

/** Eight 16-bit integers. */
export const i16x8 = {
  /** The 32-bit integers of `a`, then of `b`, cut to what fits. */
  narrowI32x4S: vector2("i16x8.narrow_i32x4_s"),
  narrowI32x4U: vector2("i16x8.narrow_i32x4_u"),
  extendLowI8x16S: vector1("i16x8.extend_low_i8x16_s"),
};

/** Sixteen 8-bit integers. */
export const i8x16 = {
  /** The 16-bit integers of `a`, then of `b`, cut to what fits. */
  narrowI16x8S: vector2("i8x16.narrow_i16x8_s"),
};
