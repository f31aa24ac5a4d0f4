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
import { NUMBER_BACKEND, registerNumberBackend } from "./number_backend.ts";

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

/** Starts the backend that holds the numbers of models, and computes nothing yet. */
export async function startNumbers(): Promise<void> {
  // Among others it spares users the advice to install a native backend.
  core.enableProdMode();
  registerNumberBackend();
  await use(NUMBER_BACKEND);
  registerChainedOps();
}

let kernels: Promise<void> | null = null;

/**
 * Starts the backend that computes: for initial weights, models whose code computes, and steps that
 * cannot be compiled. Loading its kernels takes longer than compiling a step.
 */
export function startKernels(): Promise<void> {
  kernels ??= (async () => {
    const { FLOTILLA_BACKEND, registerFlotillaBackend } = await import(
      "./eager/flotilla_backend.ts"
    );
    registerFlotillaBackend();
    await use(FLOTILLA_BACKEND);
  })();
  return kernels;
}

/** Whether {@link startKernels} was called. */
export function areKernelsStarted(): boolean {
  return kernels !== null;
}

/** Starts both. */
export async function startBackend(): Promise<void> {
  await startNumbers();
  await startKernels();
}

async function use(backend: string): Promise<void> {
  if (!await core.setBackend(backend)) {
    throw new Error(`the training backend ${backend} of tfjs does not start`);
  }
}
