/**
 * `deno task bench kernels`: GFLOP/s of each kernel at the shapes of the MLP, LeNet5 and FedAT_CNN, batch 32,
 * beside the peak of this machine (multiply-adds in registers), and the sum for a training step.
 * The peak is measured again before each kernel, as other work on the machine changes both alike.
 */
import {
  type Arithmetic,
  conv2dForward,
  conv2dInputGradient,
  type Conv2dShape,
  conv2dWeightGradient,
  detectArithmetic,
  f32x4,
  gemm,
  type Kernel,
  loadBatch,
  ModuleBuilder,
  poolForward,
  poolGradient,
  reduce,
  transpose,
  type V128,
} from "../src/kernels/mod.ts";

const BATCH = 32;
const PEAK_TURNS = 2000;
const PEAK_FLOPS = PEAK_TURNS * 4 * 12 * 4 * 2;
const REPETITIONS = 25;
const SLOT_BYTES = 5 * 1024 * 1024 + 320;
const SLOTS = 7;

interface Entry {
  readonly name: string;
  readonly kernel: Kernel;
}

interface Model {
  readonly name: string;
  /** The kernels of one training step. */
  readonly entries: readonly Entry[];
}

const UPDATE = { accumulate: true, scale: "operand" } as const;

/** A convolution followed by relu and the greatest of 2 x 2; the first of a model needs no `dx`. */
function convolution(
  module: ModuleBuilder,
  name: string,
  shape: Conv2dShape,
  { first = false, outputSize }: { readonly first?: boolean; readonly outputSize: number },
): Entry[] {
  const { outputChannels, batch } = shape;
  const window = {
    ...{ batch, inputHeight: outputSize, inputWidth: outputSize, inputChannels: outputChannels },
    ...{ outputChannels, kernelHeight: 2, kernelWidth: 2, strideHeight: 2, strideWidth: 2 },
    take: "max",
  } as const;
  const biasGradient = {
    ...{ take: "sum" as const, sizes: [outputSize ** 2, outputChannels], reduced: [true, false] },
    ...{ batch, overBatch: true },
  };
  const entries = [
    {
      name: "forward",
      kernel: conv2dForward(module, shape, { bias: "row", activation: "relu" }),
    },
    { name: "pool forward", kernel: poolForward(module, window) },
    { name: "pool gradient", kernel: poolGradient(module, window, true) },
    { name: "input gradient", kernel: conv2dInputGradient(module, shape) },
    { name: "weight gradient", kernel: conv2dWeightGradient(module, shape, UPDATE) },
    { name: "bias gradient", kernel: reduce(module, biasGradient) },
  ];
  return entries.filter((entry) => !first || entry.name !== "input gradient").map((entry) => ({
    ...entry,
    name: `${name} ${entry.name}`,
  }));
}

/** A dense layer with relu. */
function dense(module: ModuleBuilder, name: string, inputs: number, outputs: number): Entry[] {
  const activations = { n: BATCH, bDepth: BATCH, cRow: BATCH };
  const kernels = {
    "forward": gemm(module, {
      ...activations,
      ...{ m: outputs, k: inputs, aRow: 1, aDepth: outputs },
      epilogue: { bias: "row", activation: "relu" },
    }),
    "input gradient": gemm(module, {
      ...activations,
      ...{ m: inputs, k: outputs, aRow: outputs, aDepth: 1 },
      epilogue: { mask: true },
    }),
    "dy transposed": transpose(module, { rows: outputs, columns: BATCH }),
    "weight gradient": gemm(module, {
      ...{ m: inputs, n: outputs, k: BATCH, aRow: BATCH, aDepth: 1 },
      ...{ bDepth: outputs, cRow: outputs, epilogue: UPDATE },
    }),
    "bias gradient": reduce(module, {
      ...{ take: "sum", sizes: [outputs], reduced: [false], batch: BATCH, overBatch: true },
    }),
  };
  return Object.entries(kernels).map(([part, kernel]) => ({ name: `${name} ${part}`, kernel }));
}

function load(module: ModuleBuilder, features: number, channels: number): Entry {
  const kernel = loadBatch(module, {
    ...{ type: "u8", features, samples: BATCH, batch: BATCH, itemBytes: features },
    ...{ factors: Array(channels).fill(1 / 255), offsets: Array(channels).fill(-0.5) },
  });
  return { name: "load batch", kernel };
}

function models(module: ModuleBuilder): Model[] {
  const image = (
    { size, from, to, kernel, pad = 0 }: Record<"size" | "from" | "to" | "kernel", number> & {
      readonly pad?: number;
    },
  ) => ({
    ...{ batch: BATCH, inputHeight: size, inputWidth: size, inputChannels: from },
    ...{ outputChannels: to, kernelHeight: kernel, kernelWidth: kernel },
    ...{ padTop: pad, padBottom: pad, padLeft: pad, padRight: pad },
  });
  const three = (size: number, from: number, to: number) =>
    image({ size, from, to, kernel: 3, pad: 1 });
  const five = { kernel: 5, pad: 2 };
  return [
    {
      name: "MLP",
      entries: [
        load(module, 784, 1),
        ...dense(module, "fc1", 784, 128).filter(({ name }) => name !== "fc1 input gradient"),
        ...dense(module, "fc2", 128, 10),
      ],
    },
    {
      name: "LeNet5",
      entries: [
        load(module, 784, 1),
        ...convolution(module, "conv1", image({ size: 28, from: 1, to: 6, ...five }), {
          ...{ first: true, outputSize: 28 },
        }),
        ...convolution(module, "conv2", image({ size: 14, from: 6, to: 16, kernel: 5 }), {
          outputSize: 10,
        }),
        ...dense(module, "fc1", 400, 120),
        ...dense(module, "fc2", 120, 84),
        ...dense(module, "fc3", 84, 10),
      ],
    },
    {
      name: "FedAT_CNN",
      entries: [
        load(module, 3072, 3),
        ...convolution(module, "conv1", three(32, 3, 32), { first: true, outputSize: 32 }),
        ...convolution(module, "conv2", three(16, 32, 64), { outputSize: 16 }),
        ...convolution(module, "conv3", three(8, 64, 64), { outputSize: 8 }),
        ...dense(module, "fc1", 1024, 64),
        ...dense(module, "fc2", 64, 10),
      ],
    },
  ];
}

/** Multiply-adds on 12 sums in registers: the most that any kernel could reach. */
function peakFunction(module: ModuleBuilder): void {
  const peak = module.function("peak", {}, (f) => {
    const sums = Array.from({ length: 12 }, () => f.let(f32x4.const(0)));
    const a = f.let(f32x4.const(1)), b = f.let(f32x4.const(0.5));
    f.loop(PEAK_TURNS, () => {
      for (let i = 0; i < 4; i++) for (const sum of sums) f.accumulate(sum, a, b);
    });
    f.store(16, sums.reduce((total: V128, sum) => f32x4.add(total, sum), f32x4.const(0)));
  });
  module.export("peak", peak);
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

function measureModel(arithmetic: Arithmetic, index: number, only = ""): void {
  const module = new ModuleBuilder({ arithmetic });
  const { name, entries } = models(module)[index]!;
  peakFunction(module);
  for (const [i, { kernel }] of entries.entries()) module.export(`${i}`, kernel.func);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(SLOTS * SLOT_BYTES / 65536) + 1 });
  const floats = new Float32Array(memory.buffer);
  for (let i = 0; i < floats.length; i++) floats[i] = (i % 1000) / 1000 - 0.5;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), {
    env: { memory },
  });
  const call = (name: string) => exports[name] as (...addresses: number[]) => void;
  console.log(
    `\n${`${name}, batch ${BATCH}, ${arithmetic}`.padEnd(36)} GFLOP/s      µs  of peak`,
  );
  let total = 0, flops = 0;
  for (const [i, { name, kernel }] of entries.entries()) {
    if (!name.includes(only)) continue;
    const addresses = kernel.params.map((_, slot) => 4096 + slot * SLOT_BYTES);
    const peak = PEAK_FLOPS / milliseconds(() => call("peak")()) / 1e6;
    const ms = milliseconds(() => call(`${i}`)(...addresses));
    const rate = kernel.flops / ms / 1e6;
    total += ms;
    flops += kernel.flops;
    const rating = kernel.flops === 0 ? "" : rate.toFixed(1);
    const share = kernel.flops === 0 ? "" : (rate / peak).toFixed(2);
    const micros = (ms * 1000).toFixed(1);
    console.log(`${name.padEnd(36)}${rating.padStart(8)}${micros.padStart(8)}${share.padStart(9)}`);
  }
  const rate = (flops / total / 1e6).toFixed(1);
  console.log(
    `${"all of a step".padEnd(36)}${rate.padStart(8)}${(total * 1000).toFixed(1).padStart(8)}`,
  );
}

/** Measures the kernels of the three models in the arithmetic of this machine. */
// deno-lint-ignore require-await -- benchmarks are asynchronous
export async function kernels(): Promise<void> {
  const arithmetic = detectArithmetic();
  for (const index of [0, 1, 2]) measureModel(arithmetic, index);
}

if (import.meta.main) {
  const [arithmetic = detectArithmetic(), model, only] = Deno.args;
  for (const index of model === undefined ? [0, 1, 2] : [Number(model)]) {
    measureModel(arithmetic as Arithmetic, index, only);
  }
}
