/** The one asset of the training: tfjs's wasm kernels, part of the module graph and of a bundle. */
import binary from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm" with {
  type: "bytes",
};

/** Bytes of the single-threaded SIMD build. */
export const wasmBinary: Uint8Array<ArrayBuffer> = binary;
