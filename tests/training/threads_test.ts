/** Steps that threads share: the same bytes as by one, and an end of all threads when one fails. */
import assert from "node:assert/strict";
import { readPackage } from "../../src/config/read_package.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { seeded } from "../../src/core/prng.ts";
import { tf } from "../../src/training/backend.ts";
import { type BuiltModel, describeBuilt } from "../../src/training/built_model.ts";
import { compileLearner, type CompileOptions } from "../../src/training/compile_learner.ts";
import type { CompiledLearner } from "../../src/training/compiled_learner.ts";
import { buildModel } from "../../src/training/model_source.ts";
import { KernelMemory } from "../../src/training/kernel_memory.ts";
import { StepThreads } from "../../src/training/threads/step_threads.ts";
import { laneRanges } from "../../src/training/step/threaded_plan.ts";
import { ModuleBuilder } from "../../src/kernels/mod.ts";
import type { FunctionBuilder } from "../../src/kernels/emitter/function_builder.ts";
import { f32x4, i32 } from "../../src/kernels/emitter/instructions.ts";
import { datasetOf } from "./step/compare_training.ts";
import { build, SAMPLE_MODELS, sampleBatch, weightsOf } from "./step/sample_models.ts";

const STEPS = 4;

/** How a model is trained. */
interface Training extends CompileOptions {
  /** @default "adam" */
  readonly optimizer?: string;
  /** @default "crossentropy" */
  readonly loss?: string;
}

/** Losses, right answers and weights after some steps; `see` sees the learner after them. */
function trained(
  built: BuiltModel,
  samples: number,
  { optimizer = "adam", loss: lossName = "crossentropy", ...options }: Training,
  see: (learner: CompiledLearner) => void = () => {},
): Float32Array {
  const prng = seeded(3);
  const batches = Array.from({ length: STEPS }, () => sampleBatch(built, samples, prng));
  const learner = compileLearner(
    built,
    { loss: lossName, optimizer: { name: optimizer, args: {} } },
    datasetOf(built, batches, lossName === "crossentropy"),
    { train: [samples], evaluate: [samples] },
    options,
  );
  try {
    const weights = Float32Array.from(weightsOf(built).flatMap((values) => [...values]));
    learner.setWeights(weights);
    learner.startTraining({ learningRate: 0.01, random: seeded(9) });
    const indices = (step: number) =>
      Int32Array.from({ length: samples }, (_, n) => step * samples + n);
    const outcomes = batches.map((_, step) => learner.train(indices(step)));
    outcomes.push(learner.evaluate(indices(0)));
    learner.copyWeights(weights);
    see(learner);
    return Float32Array.of(
      ...outcomes.flatMap(({ loss, right }) => [loss, right ?? 0]),
      ...weights,
    );
  } finally {
    learner.dispose();
  }
}

function assertSameBytes(built: BuiltModel, batchSizes: readonly number[]): void {
  for (const samples of batchSizes) {
    // The kernel of a gradient adds it to the weight by itself if the optimizer is plain.
    for (const optimizer of ["adam", "sgd"]) {
      const expected = trained(built, samples, { threads: 1, optimizer });
      assert.ok(expected.every(Number.isFinite));
      for (const threads of [2, 3]) {
        const results = trained(built, samples, { threads, optimizer });
        assert.deepEqual(results, expected, `${optimizer}: ${samples} on ${threads}`);
      }
    }
  }
}

for (const name of Object.keys(SAMPLE_MODELS)) {
  Deno.test(`compileLearner() gives the same bytes of "${name}" on 1, 2 and 3 threads`, () => {
    // 5 samples lie in 2 vectors: too few for a third thread. 18 lie in 5, which no thread gets as
    // many of as the others; 23 lie in 6.
    assertSameBytes(build(name), [5, 18, 23]);
  });
}

Deno.test("compileLearner() gives the same bytes of numbers to be met on 1 and 2 threads", () => {
  const built = build("mlp");
  const [expected, actual] = [1, 2].map((threads) =>
    trained(built, 23, { threads, loss: "mean_square_error" })
  );
  assert.deepEqual(actual, expected);
});

Deno.test("compileLearner() gives the same bytes of dropout on 1, 2 and 3 threads", () => {
  const { layers } = tf;
  const model = tf.sequential({
    layers: [
      layers.dropout({ rate: 0.5, inputShape: [5] }),
      layers.dense({ units: 7 }),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 3 }),
    ],
  });
  assertSameBytes(describeBuilt(model), [1, 18, 23]);
});

Deno.test("compileLearner() gives the same bytes of convolutions by tiles on 1, 2 and 3 threads", () => {
  const { layers } = tf;
  const convolution = { filters: 8, kernelSize: 3, padding: "same" as const };
  const model = tf.sequential({
    layers: [
      layers.conv2d({ ...convolution, inputShape: [8, 8, 9], activation: "relu" }),
      layers.conv2d(convolution),
      layers.maxPooling2d({ poolSize: 3, strides: 2 }),
      layers.conv2d({ filters: 5, kernelSize: 1 }),
      layers.flatten(),
      layers.dense({ units: 3 }),
    ],
  });
  assertSameBytes(describeBuilt(model), [18, 23, 72]);
});

const ZOO: Readonly<Record<string, JsonObject>> = {
  CharLSTM: { num_classes: 9, length: 7, units: 9 },
  LeNet5: {},
  MLP: {},
  MobileNet: { width: 4, image_size: 16 },
  ResNet: { width: 3, blocks: 1, image_size: 16 },
};

for (const [name, args] of Object.entries(ZOO)) {
  Deno.test(`models/${name} trains to the same bytes on 1, 2 and 3 threads`, async () => {
    const folder = new URL(`../../models/${name}`, import.meta.url).pathname;
    const source = { modelPackage: await readPackage(folder, name), args };
    assertSameBytes(describeBuilt(await buildModel(source, 1)), [32]);
  });
}

Deno.test("compileLearner() goes on with one thread, and says why, if no others can be used", () => {
  const built = build("lenet");
  const expected = trained(built, 18, { threads: 1 });
  const notices: string[] = [];
  // No thread starts as soon as this.
  const options = {
    threads: 2,
    startLimitMs: 1,
    onNotice: (text: string) => void notices.push(text),
  };
  const actual = trained(built, 18, options, ({ threads }) => assert.equal(threads, 1));
  assert.deepEqual(actual, expected);
  assert.equal(notices.length, 1, notices.join("\n"));
  assert.match(
    notices[0]!,
    /^Training goes on with one thread for a step: .* gives no sign for 0\.001 s$/,
  );
});

Deno.test("compileLearner() computes a step on one thread if it fits into memory on no more", () => {
  // All activations live until the only phase ends; one thread gives a place to one after another.
  const wide = () => tf.layers.dense({ units: 20_000, kernelInitializer: "zeros" });
  const narrow = () => tf.layers.dense({ units: 1, kernelInitializer: "zeros" });
  const layers = [tf.layers.dense({ units: 1, inputShape: [1] })];
  for (let i = 0; i < 6; i++) layers.push(wide(), narrow());
  const built = describeBuilt(tf.sequential({ layers }));
  const samples = 6000;
  const notices: string[] = [];
  const learner = compileLearner(
    built,
    { loss: "mean_square_error", optimizer: null },
    datasetOf(built, [sampleBatch(built, samples, seeded(1))], false),
    { train: [], evaluate: [samples] },
    { threads: 2, onNotice: (text) => void notices.push(text) },
  );
  try {
    // 20,000 x 6,000 floats are 458 MB.
    const { program } = learner.stepFor("evaluate", samples);
    assert.ok(program.top < 1e9, `${program.top}`);
    assert.equal(notices.length, 1, notices.join("\n"));
    assert.match(
      notices[0]!,
      /^Training goes on with one thread for a step: .* steps of \d{4} MB .*limit 2048 MB/,
    );
    assert.equal(learner.threads, 2);
  } finally {
    learner.dispose();
  }
});

/** Two threads that run a plan made by hand, with what thread 1 does in its only phase. */
function twoThreads(second: (f: FunctionBuilder) => void, limitMs: number) {
  const memory = new KernelMemory(true);
  const module = new ModuleBuilder({ arithmetic: "portable", memory: memory.imported });
  module.export("phase 0 of thread 0", module.function("first", {}, () => {}));
  module.export("phase 0 of thread 1", module.function("second", {}, second));
  const threads = new StepThreads(memory, { limitMs });
  const step = threads.load({ bytes: module.bytes(), top: 64, phases: 1, threads: 2 });
  return { threads, step };
}

Deno.test("StepThreads ends a step with the reason of the thread that fails, and all after it", () => {
  // An address that no memory reaches.
  const { threads, step } = twoThreads(
    (f) => f.store(f.let(i32.const(-64)), f32x4.const(0)),
    60_000,
  );
  try {
    const failure = { name: "FlotillaError", message: /its thread 1 failed: .*out of bounds/ };
    assert.throws(step, failure);
    assert.throws(step, failure);
  } finally {
    threads.close();
  }
});

Deno.test("StepThreads ends a step of which a thread gives no sign within the limit", () => {
  // A second or two, as no one can end it before.
  const long = (f: FunctionBuilder) => f.loop(2 ** 31 - 1, () => {});
  const { threads, step } = twoThreads(long, 100);
  try {
    assert.throws(step, {
      name: "FlotillaError",
      message: /one gives no sign for 0\.1 s/,
    });
  } finally {
    threads.close();
  }
});

Deno.test("laneRanges() cuts samples into whole vectors for each thread", () => {
  assert.deepEqual(laneRanges(20, 2), [{ first: 0, count: 8 }, { first: 8, count: 12 }]);
  assert.deepEqual(laneRanges(8, 2), [{ first: 0, count: 4 }, { first: 4, count: 4 }]);
});
