/** Training on WebGPU: with Mesa's software Vulkan, which computes as a GPU does, only slower. */
import assert from "node:assert/strict";
import { readPackage } from "../../src/config/read_package.ts";
import { FlotillaError } from "../../src/core/errors.ts";
import { seeded } from "../../src/core/prng.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import { startBackend } from "../../src/training/backend.ts";
import { describeBuilt } from "../../src/training/built_model.ts";
import { EagerLearner } from "../../src/training/eager_learner.ts";
import { compileLearner } from "../../src/training/compile_learner.ts";
import type { Learner } from "../../src/training/learner.ts";
import { buildModel } from "../../src/training/model_source.ts";
import { findAdapter, startWebGpu } from "../../src/training/webgpu.ts";
import { installedProgram, installHint, SOFTWARE_VULKAN } from "../../tools/installed_program.ts";
import { datasetOf } from "./step/compare_training.ts";
import { sampleBatch } from "./step/sample_models.ts";
import { linearRequest, never, withTrainer, writeHalves } from "./tiny.ts";

const ignore = () => {};
const LENET = await readPackage(new URL("../../models/LeNet5", import.meta.url).pathname, "LeNet5");

if (await findAdapter() === null && installedProgram(SOFTWARE_VULKAN) === null) {
  throw new Error(installHint(SOFTWARE_VULKAN));
}

/** Losses of 20 steps of LeNet5, each on a batch of its own, and the weights after them. */
async function trainLeNet(makeLearner: typeof compiled): Promise<[number[], Float32Array]> {
  const source = { modelPackage: LENET, args: {} };
  const built = describeBuilt(await buildModel(source, 1));
  const prng = seeded(4);
  const batches = Array.from({ length: 20 }, () => sampleBatch(built, 8, prng));
  const learner = makeLearner(built, datasetOf(built, batches, true));
  const size = built.description.layout.reduce((sum, part) => sum + part.size, 0);
  const weights = new Float32Array(size);
  const draw = seeded(5);
  for (let i = 0; i < size; i++) weights[i] = (draw() - 0.5) * 0.2;
  learner.setWeights(weights);
  learner.startTraining({ learningRate: 0.05, random: seeded(6) });
  const losses: number[] = [];
  for (let step = 0; step < 20; step++) {
    const batch = Int32Array.from({ length: 8 }, (_, n) => step * 8 + n);
    losses.push((await learner.train(batch)).loss);
  }
  await learner.copyWeights(weights);
  learner.dispose();
  return [losses, weights];
}

const SETTINGS = { loss: "crossentropy", optimizer: { name: "momentum", args: {} } };

function compiled(
  built: Parameters<typeof compileLearner>[0],
  dataset: Parameters<typeof compileLearner>[2],
): Learner {
  return compileLearner(built, SETTINGS, dataset, { train: [8], evaluate: [] });
}

Deno.test({
  name: "20 steps of LeNet5 on webgpu have the losses of the compiled ones",
  // The device outlives the test, as tfjs keeps it.
  sanitizeResources: false,
  sanitizeOps: false,
  async fn() {
    await startBackend();
    const [expected, expectedWeights] = await trainLeNet(compiled);
    await startWebGpu();
    const [losses, weights] = await trainLeNet((built, dataset) =>
      new EagerLearner(built, SETTINGS, dataset, "webgpu")
    );
    losses.forEach((loss, step) => {
      const difference = Math.abs(loss - expected[step]!) / expected[step]!;
      assert.ok(difference < 1e-3, `step ${step}: ${loss} instead of ${expected[step]}`);
    });
    assert.ok(expected[19]! !== expected[0]!);
    const most = weights.reduce(
      (sum, value, i) => Math.max(sum, Math.abs(value - expectedWeights[i]!)),
      0,
    );
    assert.ok(most < 1e-3, `weights differ by ${most}`);
  },
});

Deno.test("train() on webgpu learns in the restricted worker, and tells its device", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 100);
    const request = await linearRequest(trainer, folder, { epochs: 3 });
    const onGpu = await trainer.train(request, ignore, never);
    assert.equal(onGpu.metrics.device, "webgpu");
    assert.equal(onGpu.metrics.arithmetic, undefined);
    assert.equal(onGpu.metrics.test!.accuracy, 1);
    await withTrainer(async (other) => {
      const { weights, metrics } = await other.train(request, ignore, never);
      assert.equal(metrics.device, "cpu");
      assert.ok(Math.abs(metrics.loss - onGpu.metrics.loss) < 1e-3 * metrics.loss);
      const expected = decodeWeights(weights).values;
      decodeWeights(onGpu.weights).values.forEach((value, i) => {
        assert.ok(Math.abs(value - expected[i]!) < 1e-4, `${value} ${expected[i]}`);
      });
    });
  }, { engine: { arithmetic: "auto", device: "webgpu" } }));

Deno.test("train() on auto leaves a software adapter alone, and says so once", async () => {
  const adapter = await findAdapter();
  const notices: string[] = [];
  const onNotice = (text: string) => notices.push(text);
  await withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 100);
    const request = await linearRequest(trainer, folder);
    for (let round = 0; round < 2; round++) {
      const { metrics } = await trainer.train(request, ignore, never);
      if (adapter!.isSoftware) assert.equal(metrics.device, "cpu");
    }
    assert.equal(notices.length, 1);
    if (adapter!.isSoftware) assert.match(notices[0]!, /^Trains on cpu as llvmpipe.* is software$/);
  }, { engine: { arithmetic: "auto", device: "auto" }, onNotice });
});

Deno.test("findAdapter() knows none, a real one, and those in software", async () => {
  const offering = (description: string, isFallbackAdapter?: boolean) => ({
    requestAdapter: () =>
      Promise.resolve({
        info: { description, ...(isFallbackAdapter !== undefined && { isFallbackAdapter }) },
      }),
  });
  assert.equal(await findAdapter({ requestAdapter: () => Promise.resolve(null) }), null);
  assert.deepEqual(await findAdapter(offering("Radeon")), { name: "Radeon", isSoftware: false });
  assert.deepEqual(await findAdapter(offering("", true)), {
    name: "unnamed adapter",
    isSoftware: true,
  });
  for (
    const name of ["llvmpipe (LLVM 15)", "SwiftShader Device", "Microsoft Basic Render Driver"]
  ) {
    assert.equal((await findAdapter(offering(name)))!.isSoftware, true);
  }
});

Deno.test("startWebGpu() without an adapter says what to do", () =>
  assert.rejects(
    startWebGpu({ requestAdapter: () => Promise.resolve(null) }),
    (error) =>
      error instanceof FlotillaError &&
      /^Cannot train on "webgpu" as this machine offers no WebGPU adapter: install .* or set training.device to cpu or auto$/
        .test(error.message),
  ));
