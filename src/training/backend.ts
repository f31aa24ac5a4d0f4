/**
 * The only place that imports tfjs. Core, layers and the wasm backend are imported singly: the
 * union package costs 16 MB more.
 */
import * as core from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import type { TensorFlow } from "./model_api.ts";
import { registerChainedOps } from "./chained_ops.ts";
import { wasmBinary } from "./wasm_binary.ts";

/** tfjs as a model sees it. */
export const tf: TensorFlow = { ...core, ...layers };

/**
 * Starts the wasm backend with SIMD on one thread: with more, sums would depend on their timing.
 * The binary is a part of this program, so that the worker needs no permission to read it.
 */
export async function startBackend(): Promise<void> {
  const environment = core.env();
  environment.set("WASM_HAS_SIMD_SUPPORT", true);
  environment.set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  // tfjs fetches its binary through its platform.
  environment.platform.fetch = () =>
    Promise.resolve(
      new Response(wasmBinary, { headers: { "content-type": "application/wasm" } }),
    );
  setWasmPaths("built-in/", true);
  // Its loader asks for the folder it lies in, which a bundle does not have.
  (globalThis as { __dirname?: string }).__dirname ??= "";
  if (!await core.setBackend("wasm")) throw new Error("the wasm backend of tfjs does not start");
  registerChainedOps();
}
