/** Looks for NaN and Inf among floats that arrive as bytes at any address. */
import { Instance, Memory, Module } from "../kernels/engine.ts";
import { largestMagnitude, ModuleBuilder } from "../kernels/mod.ts";

const FLOAT_BYTES = 4;
const LARGEST_AT = 0;
const FLOATS_AT = 64;
/** The memory: one page of 64 KiB, so that the floats are still in a cache when they are looked at. */
const BYTES = 64 * 1024 - FLOATS_AT;

/** The kernel and its memory; made once, as a check is over before another begins. */
let search: ((bytes: Uint8Array) => boolean) | null = null;

/** Whether all of these little-endian floats are finite. @param bytes a multiple of 4 */
export function areFinite(bytes: Uint8Array): boolean {
  search ??= makeSearch();
  for (let start = 0; start < bytes.length; start += BYTES) {
    if (!search(bytes.subarray(start, start + BYTES))) return false;
  }
  return true;
}

function makeSearch(): (bytes: Uint8Array) => boolean {
  const module = new ModuleBuilder({ arithmetic: "portable" });
  module.export("largest", largestMagnitude(module).func);
  const memory = new Memory({ initial: 1 });
  const instance = new Instance(new Module(module.bytes()), {
    env: { memory },
  });
  const run = instance.exports["largest"] as (from: number, to: number, count: number) => void;
  const into = new Uint8Array(memory.buffer, FLOATS_AT);
  const largest = new Float32Array(memory.buffer, LARGEST_AT, 1);
  return (bytes) => {
    into.set(bytes);
    run(FLOATS_AT, LARGEST_AT, bytes.length / FLOAT_BYTES);
    return Number.isFinite(largest[0]);
  };
}
