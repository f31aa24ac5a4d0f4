/** Whether V8 makes 256-bit instructions of pairs of neighbouring 128-bit ones. */
import { detectArithmetic } from "./arithmetic.ts";

let known: boolean | undefined;

/**
 * Whether pairs of vectors are worked on together. V8 does so when it was started with
 * `--experimental-wasm-revectorize`, on processors with AVX2, which those that fuse have; on others
 * there are registers enough for both. It does not say how it was started, but the flags that
 * Flotilla is started with belong together, and another of them shows.
 */
export function hasWideVectors(): boolean {
  return known ??= "gc" in globalThis && detectArithmetic() === "fused";
}
