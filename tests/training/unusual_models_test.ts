/** Models that no compiled step can hold, and models that no memory can hold. */
import assert from "node:assert/strict";
import { ModelError } from "../../src/core/errors.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { startBackend, tf } from "../../src/training/backend.ts";
import { describeBuilt } from "../../src/training/built_model.ts";
import { compileLearner } from "../../src/training/compile_learner.ts";
import { createWorkerTrainer } from "../../src/training/worker_trainer.ts";
import { linearRequest, never, packageOf, withTrainer, writeHalves } from "./tiny.ts";

const ignore = () => {};

/** The linear model with a layer of its own between, which leaves numbers as they are. */
function withLayer(call: string) {
  return packageOf({
    "model.js": `export default ({ tf }) => {
      class Own extends tf.layers.Layer {
        static className = "Own";
        call(inputs) {
          const x = Array.isArray(inputs) ? inputs[0] : inputs;
          ${call}
        }
        computeOutputShape(shape) { return shape; }
      }
      return tf.sequential({ layers: [
        tf.layers.flatten({ inputShape: [2, 2, 1] }),
        tf.layers.dense({ units: 2 }),
        new Own({}),
      ] });
    };`,
  });
}

const NOT_COMPILED: Readonly<Record<string, readonly [call: string, reason: RegExp]>> = {
  "reads a number back": [
    "return x.sum().dataSync()[0] > 1e9 ? tf.zerosLike(x) : x;",
    /: the model reads numbers back while it runs$/,
  ],
  "uses a kernel without a rule": [
    "return tf.mul(x, tf.add(1, tf.mul(0, tf.cumsum(x, 1))));",
    /: there is no rule for kernel Cumsum$/,
  ],
  "reads a number back in its last batch only": [
    "return x.shape[0] === 2 && x.sum().dataSync()[0] > 1e9 ? tf.zerosLike(x) : x;",
    /: the model reads numbers back while it runs$/,
  ],
  "mixes samples": [
    "return tf.reverse(tf.reverse(x, 0), 0);",
    /: there is no rule for kernel Reverse$/,
  ],
  "reads a number back in a gradient of its own": [
    "return tf.customGrad((own, save) => { save([own]); return { value: own.clone(), " +
    "gradFunc: (dy, [saved]) => dy.mul(saved.dataSync()[0] > -1e9 ? 1 : 2) }; })(x);",
    /: the model reads numbers back while it runs$/,
  ],
};

for (const [what, [call, reason]] of Object.entries(NOT_COMPILED)) {
  Deno.test(`a model that ${what} trains in tfjs to the same weights, which is said once`, () => {
    const notices: string[] = [];
    return withTrainer(async (trainer, folder) => {
      await writeHalves(folder, 100);
      const request = await linearRequest(trainer, folder, { epochs: 3, optimizer: "adam" });
      const compiled = await trainer.train(request, ignore, never);
      assert.deepEqual(notices, []);
      const own = { ...request, modelPackage: withLayer(call) };
      const first = await trainer.train(own, ignore, never);
      const second = await trainer.train({ ...own, seed: 3 }, ignore, never);
      assert.equal(notices.length, 1, notices.join("\n"));
      assert.match(
        notices[0]!,
        /^Model trains slowly, kernel by kernel in tfjs, as its step cannot be compiled: /,
      );
      assert.match(notices[0]!, reason);
      assert.notDeepEqual(second.weights, first.weights);
      const expected = decodeWeights(compiled.weights).values;
      decodeWeights(first.weights).values.forEach((value, i) =>
        assert.ok(Math.abs(value - expected[i]!) < 1e-5, `${value}, not ${expected[i]}`)
      );
      assert.ok(Math.abs(first.metrics.loss - compiled.metrics.loss) < 1e-5);
      assert.equal(first.metrics.accuracy, compiled.metrics.accuracy);
      assert.equal(first.metrics.test?.accuracy, compiled.metrics.test?.accuracy);
    }, { onNotice: (text) => notices.push(text) });
  });
}

Deno.test("a model that cannot be compiled trains on one of two threads, which is said", () => {
  const notices: string[] = [];
  return withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 40);
    const own = withLayer("return tf.reverse(tf.reverse(x, 0), 0);");
    const request = { ...await linearRequest(trainer, folder), modelPackage: own };
    const { metrics } = await trainer.train(request, ignore, never);
    assert.equal(metrics.threads, 1);
    assert.equal(notices.length, 1, notices.join("\n"));
    assert.match(notices[0]!, /^Model trains slowly, kernel by kernel in tfjs and on one thread, /);
  }, {
    engine: { arithmetic: "auto", threads: 2 },
    onNotice: (text) => notices.push(text),
  });
});

Deno.test("train() takes a second dataset whose last batch is of another size", async () => {
  const folder = await Deno.makeTempDir();
  const folders = ["long", "short"].map((name) => `${folder}/${name}`);
  const [long, short] = folders as [string, string];
  const notices: string[] = [];
  const options = {
    sharedFolders: folders,
    onNotice: (text: string) => void notices.push(text),
  };
  for (const each of folders) await Deno.mkdir(each);
  await writeHalves(long, 40);
  await writeHalves(short, 33);
  const [one, other] = [createWorkerTrainer(options), createWorkerTrainer(options)];
  try {
    // 38 of 40 and 31 of 33 items are trained on: last batches of 2 and of 3.
    const request = await linearRequest(one, long);
    await one.train(request, ignore, never);
    const second = await one.train({ ...request, datasetFolder: short }, ignore, never);
    const alone = await other.train({ ...request, datasetFolder: short }, ignore, never);
    assert.deepEqual(second.weights, alone.weights);
    assert.deepEqual(notices, []);
    // Compiled for the first dataset, but not for the second.
    const modelPackage = withLayer("if (x.shape[0] === 3) x.dataSync(); return x;");
    await one.train({ ...request, modelPackage }, ignore, never);
    assert.deepEqual(notices, []);
    const own = { ...request, modelPackage, datasetFolder: short };
    const eager = await one.train(own, ignore, never);
    await one.train(own, ignore, never);
    assert.equal(notices.length, 1, notices.join("\n"));
    assert.match(notices[0]!, /cannot be compiled: the model reads numbers back/);
    const expected = decodeWeights(alone.weights).values;
    decodeWeights(eager.weights).values.forEach((value, i) =>
      assert.ok(Math.abs(value - expected[i]!) < 1e-5, `${value}, not ${expected[i]}`)
    );
  } finally {
    one.close();
    other.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a model with a layer of its own made of known kernels is compiled", () => {
  const notices: string[] = [];
  return withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 40);
    const request = await linearRequest(trainer, folder);
    const own = { ...request, modelPackage: withLayer("return x.mul(2).div(2);") };
    await trainer.train(own, ignore, never);
    assert.deepEqual(notices, []);
  }, { onNotice: (text) => notices.push(text) });
});

await startBackend();

/** Items of one number, as many as wished, which take hardly any memory. */
function numbers(count: number): Dataset {
  return {
    name: "numbers",
    items: new Uint8Array(count),
    shape: [1],
    count,
    labels: new Int32Array(count),
    targetShape: [],
    classes: 2,
    classesDeclared: true,
    labelCounts: null,
    normalise: null,
  };
}

/** A dense layer of zeros, whose pages nobody touches. */
function wide(units: number) {
  const zeros = { kernelInitializer: "zeros" as const };
  return describeBuilt(tf.sequential({
    layers: [
      tf.layers.dense({ units, inputShape: [1], activation: "relu", ...zeros }),
      tf.layers.dense({ units: 2, ...zeros }),
    ],
  }));
}

Deno.test("compileLearner() names bytes and limit if the weights do not fit into memory", () => {
  const built = wide(100_000_000);
  const settings = { loss: "crossentropy", optimizer: { name: "adam", args: {} } };
  // 4 weights a unit, and two moments for each: 12 floats.
  assert.throws(
    () => compileLearner(built, settings, numbers(8), { train: [4], evaluate: [4] }),
    (error) =>
      error instanceof ModelError &&
      /^Cannot train with steps of 4578 MB as the memory ends \(limit 2048 MB\)/
        .test(error.message),
  );
  built.model.dispose();
});

Deno.test("train() names bytes and limit if a batch does not fit into memory", () => {
  const built = wide(20_000);
  const settings = { loss: "crossentropy", optimizer: { name: "sgd", args: {} } };
  const samples = 100_000;
  const learner = compileLearner(built, settings, numbers(samples), {
    train: [samples],
    evaluate: [],
  });
  learner.startTraining({ learningRate: 0.1, random: Math.random });
  // 20,000 x 100,000 floats for the first layer's outputs.
  assert.throws(
    () => learner.train(Int32Array.from({ length: samples }, (_, n) => n)),
    (error) =>
      error instanceof ModelError &&
      /^Cannot train with steps of 7630 MB as the memory ends \(limit 2048 MB\): try a smaller batch_size$/
        .test(error.message),
  );
  built.model.dispose();
});
