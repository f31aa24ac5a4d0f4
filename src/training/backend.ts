/**
 * The only place that starts tfjs. Core, layers and the cpu backend are imported singly: the union
 * package costs 16 MB more. Of the layers it is the minified file, which loads in half the time; of
 * core that would be a second one, as the others ask for its plain file.
 */
import * as core from "@tensorflow/tfjs-core";
// @ts-types="@tensorflow/tfjs-layers"
import * as layers from "@tensorflow/tfjs-layers/minified";
import type { TensorFlow } from "./model_api.ts";
import { registerChainedOps } from "./chained_ops.ts";
import { FLOTILLA_BACKEND, registerFlotillaBackend } from "./eager/flotilla_backend.ts";

/** tfjs as a model sees it. */
export const tf: TensorFlow = { ...core, ...layers };

/**
 * Runs what tfjs shall compute on one of its started backends, then returns to the one before.
 *
 * @param backend its name in tfjs
 */
export function onBackend<T>(backend: string, run: () => T): T {
  const before = core.getBackend();
  // Of a started backend the choice takes effect before the promise is returned.
  void core.setBackend(backend);
  try {
    return run();
  } finally {
    void core.setBackend(before);
  }
}

/** Starts the backend on which models are built, and trained when they cannot be compiled. */
export async function startBackend(): Promise<void> {
  // Among others it spares users the advice to install a native backend.
  core.enableProdMode();
  registerFlotillaBackend();
  if (!await core.setBackend(FLOTILLA_BACKEND)) {
    throw new Error("the training backend of tfjs does not start");
  }
  registerChainedOps();
}
