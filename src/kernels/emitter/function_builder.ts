/**
 * Builds the body of one function: locals, assignments, stores, loops, calls. Statements are
 * appended in the order of the calls; locals made inside a loop, branch or scope end with it.
 */
import { asI32, f32x4, i32, i32x4, storeCode, v128 } from "./instructions.ts";
import { unsignedLeb } from "./leb128.ts";
import { op } from "./opcodes.ts";
import { type I32, type I32Like, instruction, Local, type V128, Value } from "./value.ts";
import { type ValueType, valueTypes } from "./value.ts";

/** Whether `a * b + c` is one rounded operation (where the processor has it) or two. */
export type Arithmetic = "fused" | "portable";

/** A function of the module under construction that can be called. */
export interface FunctionHandle {
  readonly index: number;
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly result: ValueType | undefined;
}

const NO_RESULT = 0x40;
/** A load from address 0, but for its last byte, the offset. */
const LOAD_AT_OFFSET = v128.load(0).code.slice(0, -1);

export class FunctionBuilder {
  /** Pieces of code, joined when the module is written. */
  readonly #code: (readonly number[])[] = [];
  readonly #locals: ValueType[] = [];
  readonly #free: Record<ValueType, Local[]> = { i32: [], f32: [], v128: [] };
  #scope: Local[] = [];
  /** Locals that hold constants from the start, by their code. */
  readonly #constants = new Map<string, { readonly local: Local<"v128">; readonly value: V128 }>();

  constructor(readonly arithmetic: Arithmetic, private readonly params: readonly ValueType[]) {}

  /** The parameters as locals, in order. */
  get arguments(): Local[] {
    return this.params.map((type, index) => new Local(type, index));
  }

  /** A new local of a type; its value is undefined until it is set. */
  local<T extends ValueType>(type: T): Local<T> {
    let local = this.#free[type].pop();
    if (local === undefined) {
      local = new Local(type, this.params.length + this.#locals.length);
      this.#locals.push(type);
    }
    this.#scope.push(local);
    return local as Local<T>;
  }

  /** A new local that holds a value. */
  let<T extends ValueType>(value: Value<T>): Local<T> {
    const local = this.local(value.type);
    this.set(local, value);
    return local;
  }

  /**
   * Constant floats, the same in all lanes or one a lane, made at the start of the function. V8 makes
   * those of `f32x4.const` anew at each use, which in a loop takes longer than the arithmetic.
   */
  floats(...lanes: [number] | [number, number, number, number]): Local<"v128"> {
    return this.#constant(f32x4.const(...lanes));
  }

  /** Constant integers as {@link floats}. */
  integers(...lanes: [number] | [number, number, number, number]): Local<"v128"> {
    return this.#constant(i32x4.const(...lanes));
  }

  set<T extends ValueType>(local: Local<T>, value: Value<T>): void {
    this.#append(instruction("local.set", [local.type], [value], local.assignment));
  }

  /** Sets vectors to what lies from a constant address on, one behind the other. */
  setFrom(address: number, vectors: readonly Local<"v128">[]): void {
    // Written out thousands of times before the first step, so without expressions between.
    let code: number[] = [];
    for (let v = 0; v < vectors.length; v++) {
      code = code.concat(LOAD_AT_OFFSET, unsignedLeb(address + v * 16), vectors[v]!.assignment);
    }
    this.#append(code);
  }

  /** Adds to an integer local, as pointers do. */
  bump(local: Local<"i32">, by: I32Like): void {
    if (by !== 0) this.set(local, i32.add(local, by));
  }

  /** `a * b + c` in the arithmetic of the module. */
  multiplyAdd(a: V128, b: V128, c: V128): V128 {
    return this.arithmetic === "fused" ? f32x4.relaxedMadd(a, b, c) : f32x4.add(c, f32x4.mul(a, b));
  }

  /** `sum += a * b` in the arithmetic of the module. */
  accumulate(sum: Local<"v128">, a: V128, b: V128): void {
    this.set(sum, this.multiplyAdd(a, b, sum));
  }

  /** Writes an i32, f32 or v128 at a byte address plus a constant offset. */
  store(pointer: I32Like, value: Value, offset = 0): void {
    this.#append(storeCode(`${value.type}.store`, pointer, value, offset));
  }

  /** Writes the low 8 or 16 bits of an integer. */
  storeNarrow(bits: 8 | 16, pointer: I32Like, value: I32, offset = 0): void {
    this.#append(storeCode(`i32.store${bits}`, pointer, value, offset));
  }

  /** Writes one 32-bit or 64-bit lane of a vector. */
  storeLane(bits: 32 | 64, pointer: I32Like, value: V128, lane: number, offset = 0): void {
    this.#append(storeCode(`v128.store${bits}_lane`, pointer, value, offset, lane));
  }

  /** Runs a body a number of times: a known count is unrolled away if it is 0 or 1. */
  loop(count: I32Like, body: () => void): void {
    if (typeof count === "number") {
      if (count === 1) this.scope(body);
      if (count > 1) this.#countDown(asI32(count), body);
      return;
    }
    this.if(i32.gtS(count, 0), () => this.#countDown(count, body));
  }

  /** Runs a body a number of times that is known to be at least 1: `loop` without its check. */
  repeat(count: I32, body: () => void): void {
    this.#countDown(count, body);
  }

  /**
   * As `loop`, with the body written out several times in each turn and for the remainder. The body
   * is asked for once.
   */
  unrolledLoop(count: number, unroll: number, body: () => void): void {
    const write = this.#repeatable(body);
    this.loop(Math.floor(count / unroll), () => {
      for (let i = 0; i < unroll; i++) write();
    });
    for (let i = 0; i < count % unroll; i++) write();
  }

  /**
   * Runs two bodies alternately a number of times without a loop: `own` is asked for anew in each turn,
   * `shared` once, in the first.
   */
  writeOut(count: number, own: (turn: number) => void, shared: () => void): void {
    const write = this.#repeatable(shared);
    for (let turn = 0; turn < count; turn++) {
      own(turn);
      write();
    }
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    this.#append(instruction("if", ["i32"], [condition], [op.if, NO_RESULT]));
    this.scope(then);
    if (otherwise !== undefined) {
      this.#append([op.else]);
      this.scope(otherwise);
    }
    this.#append([op.end]);
  }

  /** Calls a function that has no result. */
  call(target: FunctionHandle, ...args: readonly (Value | number)[]): void {
    if (target.result !== undefined) {
      throw new TypeError(`Cannot call "${target.name}" as a statement: it has a result`);
    }
    this.#append(callCode(target, args));
  }

  /** The result of a function as an expression. */
  callValue<T extends ValueType>(
    target: FunctionHandle & { readonly result: T },
    ...args: readonly (Value | number)[]
  ): Value<T> {
    return new Value(target.result, callCode(target, args));
  }

  /** Sets bytes of memory to the low 8 bits of a value. */
  memoryFill(pointer: I32Like, value: I32Like, bytes: I32Like): void {
    const values = [asI32(pointer), asI32(value), asI32(bytes)];
    this.#append(instruction("memory.fill", ["i32", "i32", "i32"], values, [0xfc, 0x0b, 0x00]));
  }

  /** Copies bytes of memory; the two ranges may overlap. */
  memoryCopy(to: I32Like, from: I32Like, bytes: I32Like): void {
    const values = [asI32(to), asI32(from), asI32(bytes)];
    const own = [0xfc, 0x0a, 0x00, 0x00];
    this.#append(instruction("memory.copy", ["i32", "i32", "i32"], values, own));
  }

  /** Writes statements whose new locals are given back at its end. */
  scope(body: () => void): void {
    const outer = this.#scope;
    this.#scope = [];
    body();
    for (const local of this.#scope) this.#free[local.type].push(local);
    this.#scope = outer;
  }

  /** The pieces of the function's entry in the code section, ending with its result if it has one. */
  finish(result: Value | undefined): readonly (readonly number[])[] {
    if (result !== undefined) this.#append(result.code);
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const locals = runs.flatMap(({ type, count }) => [...unsignedLeb(count), valueTypes[type]]);
    const header = [...unsignedLeb(runs.length), ...locals];
    const constants = [...this.#constants.values()].map(({ local, value }) =>
      instruction("local.set", ["v128"], [value], local.assignment)
    );
    const code = [header, ...constants, ...this.#code, [op.end]];
    return [unsignedLeb(bytesIn(code)), ...code];
  }

  #constant(value: V128): Local<"v128"> {
    const key = value.code.join();
    let known = this.#constants.get(key);
    if (known === undefined) {
      known = { local: new Local("v128", this.params.length + this.#locals.length), value };
      this.#locals.push("v128");
      this.#constants.set(key, known);
    }
    return known.local;
  }

  #countDown(count: I32, body: () => void): void {
    this.scope(() => {
      const left = this.let(count);
      this.#append([op.loop, NO_RESULT]);
      this.scope(body);
      this.set(left, i32.sub(left, 1));
      this.#append(left.code);
      this.#append([op.brIf, 0, op.end]);
    });
  }

  /** Writes a body each time it is called; the body is asked for once, for the first. */
  #repeatable(body: () => void): () => void {
    let written: readonly number[] | undefined;
    return () => {
      if (written !== undefined) return this.#append(written);
      const start = this.#code.length;
      this.scope(body);
      written = this.#code.slice(start).flat();
    };
  }

  #append(code: readonly number[]): void {
    this.#code.push(code);
  }
}

/** Bytes of all pieces. */
export function bytesIn(pieces: readonly ArrayLike<number>[]): number {
  let bytes = 0;
  for (let i = 0; i < pieces.length; i++) bytes += pieces[i]!.length;
  return bytes;
}

function callCode(target: FunctionHandle, args: readonly (Value | number)[]): number[] {
  if (args.length !== target.params.length) {
    throw new TypeError(
      `Cannot call "${target.name}" with ${args.length} arguments: it takes ${target.params.length}`,
    );
  }
  const values = args.map((arg) => typeof arg === "number" ? asI32(arg) : arg);
  const own = [op.call, ...unsignedLeb(target.index)];
  return instruction(`call of "${target.name}"`, target.params, values, own);
}
