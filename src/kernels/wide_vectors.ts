/** Whether V8 makes 256-bit instructions of pairs of neighbouring 128-bit ones. */
import { detectArithmetic } from "./arithmetic.ts";

/**
 * Whether V8 was started with `--experimental-wasm-revectorize`. It does not say so, but the flags
 * that Flotilla is started with belong together, and another of them shows.
 */
export const joinsVectors: boolean = "gc" in globalThis;

let known: boolean | undefined;

/**
 * Whether kernels may work on pairs of vectors as if they had registers for them: V8 joins them on
 * processors with AVX2, which those that fuse have; on others there are registers enough without.
 */
export function hasWideVectors(): boolean {
  return known ??= joinsVectors && detectArithmetic() === "fused";
}
