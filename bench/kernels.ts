/**
 * `deno task bench kernels`, or `deno run -A bench/kernels.ts [MODEL [TEXT [ARITHMETIC]]]`: GFLOP/s
 * of each kernel of a training step of each model in `models/`, batch 32, beside the peak of this
 * machine (multiply-adds in registers), and the sum for the step. TEXT picks kernels by name. The
 * peak is measured again before each kernel, as other work on the machine changes both alike.
 */
import {
  type Arithmetic,
  detectArithmetic,
  hasWideVectors,
  type Kernel,
  loadBatch,
  type LoadShape,
  ModuleBuilder,
  uniform,
  WORKBENCH_BYTES,
} from "../src/kernels/mod.ts";
import { startBackend } from "../src/training/backend.ts";
import { describeBuilt } from "../src/training/built_model.ts";
import { buildModel } from "../src/training/model_source.ts";
import { reachable, sizeOf, type StepGraph } from "../src/training/step/graph.ts";
import { kernelsOf, secondScratchBytes } from "../src/training/step/kernels_of_values.ts";
import { operationText } from "../src/training/step/operation_text.ts";
import { optimise } from "../src/training/step/passes/optimise.ts";
import { recordStep } from "../src/training/step/record.ts";
import { schedule } from "../src/training/step/schedule.ts";
import { bytesOf } from "../src/training/step/sources.ts";
import { addPeak, PEAK_FLOPS } from "./peak.ts";
import { ZOO, zooSource } from "./zoo.ts";

const BATCH = 32;
const REPETITIONS = 25;
const PAGE_BYTES = 65536;
/** Width of the names. */
const NAMES = 62;

/** A kernel and how often a step calls it. */
interface Entry {
  readonly name: string;
  readonly kernel: Kernel;
  calls: number;
}

/** A training step by stochastic gradient descent, as it is compiled. */
async function stepOf(model: string): Promise<StepGraph> {
  const built = describeBuilt(await buildModel(await zooSource(model), 1));
  const settings = { loss: "crossentropy", optimizer: "sgd", optimizerArgs: {} };
  return optimise(recordStep(built, settings, BATCH, false).graph, false);
}

/** The kernels of a step, each once, in the order of their first calls. */
function kernelsOfStep(module: ModuleBuilder, graph: StepGraph, model: string): Entry[] {
  const entries = new Map<Kernel, Entry>();
  const add = (name: string, kernel: Kernel) => {
    const known = entries.get(kernel);
    if (known === undefined) entries.set(kernel, { name, kernel, calls: 1 });
    else known.calls += 1;
  };
  const { shape, takesNumbers = false } = ZOO[model]!;
  const features = sizeOf(shape);
  const type = takesNumbers ? "i32" : shape.length < 3 ? "f32" : "u8";
  const load: LoadShape = {
    ...{ type, features, samples: BATCH, batch: BATCH, factors: [1 / 255], offsets: [-0.5] },
    itemBytes: type === "u8" ? Math.ceil(features / 4) * 4 : features * 4,
  };
  add(`load batch [${shape}]`, loadBatch(module, load));
  for (const value of reachable(graph)) {
    if (value.operation.kind !== "random") continue;
    const floats = bytesOf(value, BATCH) / 4;
    add(`random [${value.dims}]`, uniform(module, { floats, alike: false }));
  }
  for (const { value, update } of schedule(graph)) {
    const store = { update: update?.accumulate === true };
    for (const { kernel } of kernelsOf(module, value, BATCH, store)) {
      add(`${operationText(value, kernel).slice(0, NAMES - 16)} [${value.dims}]`, kernel);
    }
  }
  return [...entries.values()];
}

/** Bytes that hold any operand of a step. */
function largestOperand(graph: StepGraph, entries: readonly Entry[]): number {
  return Math.max(
    ...reachable(graph).flatMap((value) => [
      bytesOf(value, BATCH),
      secondScratchBytes(value, BATCH),
    ]),
    ...entries.map(({ kernel }) => kernel.scratchBytes),
  );
}

/** Milliseconds of one call: the fastest of turns that take about half a millisecond each. */
function milliseconds(call: () => void): number {
  const start = performance.now();
  let warm = 0;
  for (; warm < 20 || performance.now() - start < 30; warm++) call();
  const calls = Math.max(1, Math.round(warm / (performance.now() - start) / 2));
  const turns = Array.from({ length: REPETITIONS }, () => {
    const from = performance.now();
    for (let i = 0; i < calls; i++) call();
    return (performance.now() - from) / calls;
  });
  return Math.min(...turns);
}

/** Measures and prints the kernels of one model. */
async function measureModel(model: string, arithmetic: Arithmetic, only = ""): Promise<void> {
  const graph = await stepOf(model);
  const plain = new ModuleBuilder({ arithmetic });
  const module = plain.withWorkbench(1024, WORKBENCH_BYTES, hasWideVectors());
  const entries = kernelsOfStep(module, graph, model).filter(({ name }) => name.includes(only));
  addPeak(module);
  for (const [i, { kernel }] of entries.entries()) module.export(`${i}`, kernel.func);
  // Not a multiple of 4096, which would put all operands into the same places of the caches.
  const slotBytes = Math.ceil(largestOperand(graph, entries) / PAGE_BYTES) * PAGE_BYTES + 320;
  const slots = Math.max(...entries.map(({ kernel }) => kernel.params.length));
  const pages = Math.ceil((8192 + slots * slotBytes) / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages });
  const floats = new Float32Array(memory.buffer);
  for (let i = 0; i < floats.length; i++) floats[i] = (i % 1000) / 1000 - 0.5;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), {
    env: { memory },
  });
  const call = (name: string) => exports[name] as (...addresses: number[]) => void;
  const line = (name: string, calls: string, rate: string, micros: string, share: string) =>
    console.log(
      name.padEnd(NAMES) + calls.padStart(6) + rate.padStart(9) +
        micros.padStart(10) + share.padStart(9),
    );
  console.log();
  line(`${model}, batch ${BATCH}, ${arithmetic}`, "calls", "GFLOP/s", "µs", "of peak");
  let total = 0, flops = 0;
  for (const [i, { name, kernel, calls }] of entries.entries()) {
    const addresses = kernel.params.map((_, slot) => 8192 + slot * slotBytes);
    const peak = PEAK_FLOPS / milliseconds(() => call("peak")()) / 1e6;
    const ms = milliseconds(() => call(`${i}`)(...addresses));
    const rate = kernel.flops / ms / 1e6;
    total += ms * calls;
    flops += kernel.flops * calls;
    const rated = kernel.flops > 0;
    const [shown, share] = rated ? [rate.toFixed(1), (rate / peak).toFixed(2)] : ["", ""];
    line(name, `${calls}`, shown, (ms * 1000).toFixed(1), share);
  }
  const rate = (flops / total / 1e6).toFixed(1);
  line("all of a step", "", rate, (total * 1000).toFixed(1), "");
}

/** Measures the kernels of all models in the arithmetic of this machine. */
export async function kernels(): Promise<void> {
  await startBackend();
  for (const model of Object.keys(ZOO)) await measureModel(model, detectArithmetic());
}

if (import.meta.main) {
  const [model, only, arithmetic = detectArithmetic()] = Deno.args;
  await startBackend();
  for (const name of model === undefined ? Object.keys(ZOO) : [model]) {
    await measureModel(name, arithmetic as Arithmetic, only);
  }
}
