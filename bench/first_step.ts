/**
 * How soon a training worker has done its first step of LeNet5 on 6,000 images: from the start of
 * the worker, with all its modules, the dataset, the model and its compiled step.
 */
import { readPackage } from "../src/config/read_package.ts";
import type { TrainingRequest } from "../src/training/trainer.ts";
import { MemoryPrograms, type ProgramStore } from "../src/training/program_store.ts";
import { createWorkerTrainer } from "../src/training/worker_trainer.ts";
import { makeDemoData } from "../tools/demo_data.ts";
import { median } from "./processes.ts";
import { report } from "./report.ts";
import { SGD_EPOCH } from "./sgd_epoch.ts";
import { threadGain } from "./thread_gain.ts";

const RUNS = 7;
/** By then a worker has its modules, and nothing is left of one that was ended. */
const STARTED_MS = 500;

/** Measures and prints. */
export async function firstStep(): Promise<void> {
  const data = await Deno.makeTempDir();
  try {
    await makeDemoData({ clients: 1, items: 6000, out: data, seed: 1 }, () => {});
    const gain = await threadGain(2);
    const request = await oneStep(`${data}/part_1/MNIST`);
    for (const { what, isPrepared, programs } of cases()) {
      const times: number[] = [];
      for (let run = 0; run < RUNS; run++) {
        times.push(await timed(request, isPrepared, programs()));
      }
      report({
        what: `training worker${what}: to first step of LeNet5`,
        value: median(times),
        unit: "ms",
        bar: 150,
      });
    }
    // Two workers get ready side by side, on one core as on two.
    console.log(`  two threads do ${gain.toFixed(2)} times the arithmetic of one here`);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

function cases() {
  const kept = new MemoryPrograms();
  const none = () => new MemoryPrograms();
  return [
    { what: "", isPrepared: false, programs: none },
    { what: " that was ready", isPrepared: true, programs: none },
    { what: " with steps kept from before", isPrepared: false, programs: () => kept },
  ];
}

async function oneStep(datasetFolder: string): Promise<TrainingRequest> {
  const folder = new URL("../models/LeNet5", import.meta.url).pathname;
  const source = { modelPackage: await readPackage(folder, "LeNet5"), args: {} };
  const trainer = createWorkerTrainer();
  const { weights } = await trainer.initialise(source, 1);
  trainer.close();
  return {
    ...source,
    datasetFolder,
    weights,
    settings: { ...SGD_EPOCH, maxMiniBatches: 1 },
    splitSeed: 1,
    seed: 1,
  };
}

/** Milliseconds until the step is reported, of a worker of its own. */
async function timed(
  request: TrainingRequest,
  isPrepared: boolean,
  programs: ProgramStore,
): Promise<number> {
  const trainer = createWorkerTrainer({ programs });
  if (isPrepared) await trainer.prepare(request.datasetFolder);
  await new Promise((resolve) => setTimeout(resolve, STARTED_MS));
  const start = performance.now();
  let passed = NaN;
  await trainer.train(
    request,
    () => passed = performance.now() - start,
    new AbortController().signal,
  );
  trainer.close();
  return passed;
}

if (import.meta.main) await firstStep();
