/**
 * `deno task bench eager`: what a model gets that cannot be compiled: training steps kernel by kernel
 * on our backend of tfjs, against tfjs's own for the cpu. Batch 32, SGD, cross-entropy.
 */
import { seeded } from "../src/core/prng.ts";
import { onBackend, startBackend } from "../src/training/backend.ts";
import { describeBuilt } from "../src/training/built_model.ts";
import { FLOTILLA_BACKEND } from "../src/training/eager/flotilla_backend.ts";
import { buildModel } from "../src/training/model_source.ts";
import { eagerStepper, sampleBatch } from "../tests/training/step/sample_models.ts";
import { median } from "./processes.ts";
import { report } from "./report.ts";
import { zooSource } from "./zoo.ts";

const BATCH = 32;
/** Convolutional networks of which tfjs's own backend does a step within seconds. */
const MODELS = { LeNet5: {}, FedAT_CNN: { width: 8 } };
const TFJS_STEPS = 2;
const STEPS = 30;
const BAR = 50;

/** Measures and prints. */
export async function eager(): Promise<void> {
  await startBackend();
  for (const [model, args] of Object.entries(MODELS)) {
    const built = describeBuilt(await buildModel(await zooSource(model, args), 1));
    const settings = { loss: "crossentropy", optimizer: "sgd", optimizerArgs: {} };
    const step = eagerStepper(built, settings, 0.01);
    const batch = sampleBatch(built, BATCH, seeded(1));
    const samplesPerSecond = (backend: string, steps: number) => {
      const seconds = Array.from({ length: steps }, () => {
        const start = performance.now();
        onBackend(backend, () => step(batch));
        return (performance.now() - start) / 1000;
      });
      return BATCH / median(seconds);
    };
    samplesPerSecond(FLOTILLA_BACKEND, 3); // compiles its kernels
    const ours = samplesPerSecond(FLOTILLA_BACKEND, STEPS);
    const theirs = samplesPerSecond("cpu", TFJS_STEPS);
    const what = `${model} kernel by kernel, against tfjs's cpu backend`;
    report({ what, value: ours / theirs, unit: "times", bar: BAR, moreIsBetter: true });
    console.log(`  ${ours.toFixed(0)} and ${theirs.toFixed(1)} samples/s`);
  }
}

if (import.meta.main) await eager();
