/** The only place that starts tfjs. */
import type { TensorFlow } from "./model_api.ts";
import { registerChainedOps } from "./chained_ops.ts";
import { NUMBER_BACKEND, registerNumberBackend } from "./number_backend.ts";
import { core, layers, loadCpu } from "./tfjs.ts";

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
    const [{ FLOTILLA_BACKEND, registerFlotillaBackend }, { MathBackendCPU }] = await Promise.all([
      import("./eager/flotilla_backend.ts"),
      loadCpu(),
    ]);
    registerFlotillaBackend(() => new MathBackendCPU());
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
