/** Runs a kernel whose number of elements is an argument, with its operands at any address. */
import assert from "node:assert/strict";
import { type Kernel, ModuleBuilder } from "../../src/kernels/mod.ts";

/** Lengths around the blocks of all kernels. */
export const lengths = [0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 65, 1001];

const GUARD = 32;
const GUARD_BYTE = 0xa5;

/** What kernels work on. */
export type Operand = Float32Array | Float64Array | Uint16Array | Int8Array;

/**
 * Calls a kernel and puts what it left into the operands. The bytes around them must stay.
 *
 * @param skew bytes by which each operand lies behind an aligned address
 */
export function runElementKernel(
  template: (module: ModuleBuilder) => Kernel,
  operands: Readonly<Record<string, Operand>>,
  elements: number,
  skew = 0,
): void {
  const module = new ModuleBuilder({ arithmetic: "portable" });
  const kernel = template(module);
  module.export("kernel", kernel.func);
  assert.deepEqual(kernel.params, [...Object.keys(operands), "elements"]);
  let top = GUARD;
  const places = Object.values(operands).map((operand) => {
    const place = { at: top + skew, bytes: bytesOf(operand) };
    top += Math.ceil((operand.byteLength + skew) / 16) * 16 + GUARD;
    return place;
  });
  const memory = new WebAssembly.Memory({ initial: Math.ceil(top / 65536) });
  const all = new Uint8Array(memory.buffer).fill(GUARD_BYTE);
  for (const { at, bytes } of places) all.set(bytes, at);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), {
    env: { memory },
  });
  const run = instance.exports["kernel"] as (...args: number[]) => void;
  run(...places.map(({ at }) => at), elements);
  for (const { at, bytes } of places) {
    bytes.set(all.subarray(at, at + bytes.length));
    all.fill(GUARD_BYTE, at, at + bytes.length);
  }
  const spilled = all.findIndex((byte) => byte !== GUARD_BYTE);
  assert.equal(spilled, -1, `byte ${spilled} outside of all operands was written`);
}

/** The operand as bytes that share its memory. */
export function bytesOf({ buffer, byteOffset, byteLength }: Operand): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** Fails unless all floats have the same bits, so that 0 and -0 differ; any NaN is like another. */
export function assertSameFloats(actual: Float32Array, expected: Float32Array): void {
  assert.equal(actual.length, expected.length);
  const at = actual.findIndex((value, i) => !Object.is(value, expected[i]));
  assert.equal(at, -1, `at ${at}: ${actual[at]} instead of ${expected[at]}`);
}

const NASTY = [0, -0, 1, -1, 1e-45, -1e-40, 3.4028234e38, -3.4028234e38, 0.1, 16777217, 1e-7, -33];

/** Floats of all sizes with signed zeros and denormals among them. */
export function nasty(length: number, seed: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => {
    const draw = (i * 7919 + seed * 104729) % 97;
    return draw < NASTY.length ? NASTY[draw]! : Math.sin(i + seed) * 10 ** (draw % 9 - 4);
  });
}
