/**
 * The only place that starts tfjs. Core, layers and the cpu backend are imported singly: the union
 * package costs 16 MB more.
 */
import * as core from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import "@tensorflow/tfjs-backend-cpu";
import type { TensorFlow } from "./model_api.ts";
import { registerChainedOps } from "./chained_ops.ts";

/** tfjs as a model sees it. */
export const tf: TensorFlow = { ...core, ...layers };

/** Starts the backend on which models are built, and trained when they cannot be compiled. */
export async function startBackend(): Promise<void> {
  // Among others it spares users the advice to install a native backend.
  core.enableProdMode();
  if (!await core.setBackend("cpu")) throw new Error("the cpu backend of tfjs does not start");
  registerChainedOps();
}
