/** Runs one kernel on given operands in a memory of its own, and watches the bytes between them. */
import assert from "node:assert/strict";
import {
  type Arithmetic,
  type Kernel,
  ModuleBuilder,
  WORKBENCH_BYTES,
} from "../../src/kernels/mod.ts";

export const arithmetics: readonly Arithmetic[] = ["fused", "portable"];

const GUARD = 64;
const GUARD_VALUE = -12345.678;

/**
 * Calls a kernel with the operands at addresses that are 16-byte aligned, and returns what they
 * hold afterwards. The floats around every operand must stay as they were. Scratch is NaN.
 *
 * @param workbench the module's, on which vectors are taken to be joined or not @default it has none
 */
export function runKernel<K extends string>(
  arithmetic: Arithmetic,
  template: (module: ModuleBuilder) => Kernel,
  operands: Record<K, Float32Array | Uint8Array>,
  workbench?: "joined" | "single",
): Record<K, Float32Array> {
  const plain = new ModuleBuilder({ arithmetic });
  const hasWorkbench = workbench !== undefined;
  const module = hasWorkbench
    ? plain.withWorkbench(GUARD, WORKBENCH_BYTES, workbench === "joined")
    : plain;
  const kernel = template(module);
  module.export("kernel", kernel.func);
  const bytes = module.bytes();
  const names = kernel.params as readonly (K | "scratch")[];
  const sizeOf = (name: K | "scratch") =>
    name === "scratch" ? kernel.scratchBytes : operands[name].byteLength;
  const addresses = new Map<string, number>();
  let top = GUARD + (hasWorkbench ? WORKBENCH_BYTES + GUARD : 0);
  for (const name of names) {
    addresses.set(name, top);
    top += Math.ceil(sizeOf(name) / 16) * 16 + GUARD;
  }
  const memory = new WebAssembly.Memory({ initial: Math.ceil(top / 65536) });
  const floats = new Float32Array(memory.buffer);
  floats.fill(GUARD_VALUE);
  for (const name of names) {
    const at = addresses.get(name)!;
    if (name === "scratch") floats.fill(NaN, at / 4, at / 4 + sizeOf(name) / 4);
    else new Uint8Array(memory.buffer).set(bytesOf(operands[name]), at);
  }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  (instance.exports["kernel"] as (...at: number[]) => void)(...addresses.values());
  const after = {} as Record<K, Float32Array>;
  const inside = new Uint8Array(floats.length);
  if (hasWorkbench) inside.fill(1, GUARD / 4, (GUARD + WORKBENCH_BYTES) / 4);
  for (const name of names) {
    const at = addresses.get(name)! / 4;
    const length = sizeOf(name) / 4;
    inside.fill(1, at, at + length);
    if (name !== "scratch") after[name] = floats.slice(at, at + length);
  }
  const guard = Math.fround(GUARD_VALUE);
  const spilled = floats.findIndex((value, i) => inside[i] === 0 && value !== guard);
  assert.equal(spilled, -1, `float ${spilled} outside of all operands was written`);
  return after;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint8Array): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** Reproducible floats in -1 .. 1, about a tenth of them exactly 0. */
export function noise(length: number, seed = 1): Float32Array {
  let state = (seed * 2654435761) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % 65536 < 6554 ? 0 : Math.fround(state / 2 ** 31 - 1);
  });
}

/** Fails unless all floats agree to `tolerance` of the largest expected one (at least of 1). */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance = 1e-5,
): void {
  assert.equal(actual.length, expected.length);
  let largest = 1;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i]!));
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= tolerance * largest)) {
      assert.fail(`at ${i}: ${actual[i]} instead of ${expected[i]} (of ${expected.length})`);
    }
  }
}
