/** Layers that draw random numbers, compiled and step by step in tfjs. */
import assert from "node:assert/strict";
import { seeded } from "../../src/core/prng.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { startBackend, tf } from "../../src/training/backend.ts";
import { describeBuilt } from "../../src/training/built_model.ts";
import { compileLearner } from "../../src/training/compile_learner.ts";
import { EagerLearner } from "../../src/training/eager_learner.ts";
import type { Learner } from "../../src/training/learner.ts";
import { NotRecordable } from "../../src/training/step/not_recordable.ts";

await startBackend();

const FEATURES = 6;
const SETTINGS = { loss: "mean_square_error", optimizer: { name: "sgd", args: {} } };
/** Items of ones with targets of zeros: the loss is the mean square of what a layer makes of 1. */
const ONES: Dataset = {
  name: "ones",
  items: new Float32Array(64 * FEATURES).fill(1),
  shape: [FEATURES],
  count: 64,
  labels: new Float32Array(64 * FEATURES),
  targetShape: [FEATURES],
  classes: null,
  classesDeclared: false,
  labelCounts: null,
  normalise: null,
};

type Layer = InstanceType<typeof tf.layers.Layer>;

/** A random layer, then weights that change nothing and that are not trained. */
function build(layer: Layer) {
  const { random } = Math;
  Math.random = seeded(1);
  const identity = tf.layers.dense({
    ...{ units: FEATURES, useBias: false, kernelInitializer: "identity" as const },
    inputShape: [FEATURES],
  });
  const model = tf.sequential({ layers: [identity, layer] });
  Math.random = random;
  return describeBuilt(model);
}

const LEARNERS = {
  compiled: (layer: Layer, samples: number) =>
    compileLearner(build(layer), SETTINGS, ONES, { train: [samples], evaluate: [samples] }),
  eager: (layer: Layer, _samples: number) => new EagerLearner(build(layer), SETTINGS, ONES),
};

/** Losses of steps that leave the weights as they are. */
async function losses(
  learner: Learner,
  seed: number,
  samples: number,
  steps: number,
): Promise<number[]> {
  const { random } = Math;
  const identity = new Float32Array(FEATURES ** 2);
  for (let i = 0; i < FEATURES; i++) identity[i * FEATURES + i] = 1;
  learner.setWeights(identity);
  learner.startTraining({ learningRate: 0, random: seeded(seed) });
  const batch = Int32Array.from({ length: samples }, (_, n) => n);
  const result: number[] = [];
  for (let i = 0; i < steps; i++) result.push((await learner.train(batch)).loss);
  Math.random = random;
  return result;
}

for (const [how, make] of Object.entries(LEARNERS)) {
  for (const samples of [1, 4, 5, 32]) {
    Deno.test(`dropout ${how} keeps its rate in ${samples} samples, and no lane behind them`, async () => {
      const rate = 0.25;
      const steps = Math.ceil(3000 / samples);
      const learner = make(tf.layers.dropout({ rate }), samples);
      const all = await losses(learner, 7, samples, steps);
      // A number that is kept becomes 4/3, and its square 16/9.
      const kept = all.map((loss) => loss * samples * FEATURES * 9 / 16);
      for (const count of kept) assert.ok(Math.abs(count - Math.round(count)) < 1e-3, `${count}`);
      const mean = kept.reduce((sum, count) => sum + count, 0) / (samples * steps * FEATURES);
      // 18,000 draws: five standard deviations are 0.016.
      assert.ok(Math.abs(mean - 0.75) < 0.016, `${mean}`);
    });
  }

  Deno.test(`dropout ${how} changes with each step and repeats with the seed`, async () => {
    const learner = make(tf.layers.dropout({ rate: 0.5 }), 32);
    const first = await losses(learner, 3, 32, 20);
    assert.ok(new Set(first).size > 10, String(first));
    assert.deepEqual(await losses(learner, 3, 32, 20), first);
    assert.notDeepEqual(await losses(learner, 4, 32, 20), first);
    assert.deepEqual(await losses(make(tf.layers.dropout({ rate: 0.5 }), 32), 3, 32, 20), first);
  });

  Deno.test(`dropout ${how} with one mask for all samples drops whole columns`, async () => {
    const layer = tf.layers.dropout({ rate: 0.5, noiseShape: [1, FEATURES] });
    for (const loss of await losses(make(layer, FEATURES), 5, FEATURES, 50)) {
      // A column that is kept becomes 2 in all samples.
      const columns = loss * FEATURES / 4;
      assert.ok(Math.abs(columns - Math.round(columns)) < 1e-4, `${columns}`);
    }
  });

  Deno.test(`dropout ${how} with one draw for each sample drops whole samples`, async () => {
    const layer = tf.layers.dropout({ rate: 0.5, noiseShape: [5, 1] });
    const seen = new Set<number>();
    for (const loss of await losses(make(layer, 5), 5, 5, 50)) {
      const samples = loss * 5 / 4;
      assert.ok(Math.abs(samples - Math.round(samples)) < 1e-4, `${samples}`);
      seen.add(Math.round(samples));
    }
    assert.ok(seen.size > 2, [...seen].join());
  });

  Deno.test(`evaluation ${how} draws nothing`, async () => {
    const learner = make(tf.layers.dropout({ rate: 0.5 }), 5);
    await losses(learner, 3, 5, 1);
    assert.equal((await learner.evaluate(Int32Array.of(0, 1, 2, 3, 4))).loss, 1);
  });
}

Deno.test("compileLearner() leaves noise other than uniform to tfjs, where it keeps its deviation", async () => {
  const layer = tf.layers.gaussianNoise({ stddev: 0.5 });
  assert.throws(
    () => LEARNERS.compiled(layer, 32),
    (error) =>
      error instanceof NotRecordable && /random numbers other than uniform/.test(error.message),
  );
  const learner = LEARNERS.eager(tf.layers.gaussianNoise({ stddev: 0.5 }), 32);
  const all = await losses(learner, 3, 32, 100);
  // The mean square of 1 + noise is 1 + 0.25; of 19,200 draws five deviations are 0.04.
  const mean = all.reduce((sum, loss) => sum + loss, 0) / 100;
  assert.ok(Math.abs(mean - 1.25) < 0.04, String(mean));
  assert.ok(new Set(all).size > 90);
  assert.deepEqual(await losses(learner, 3, 32, 100), all);
});

Deno.test("compileLearner() does not take random weights for random samples of as many rows", async () => {
  class RandomWeights extends tf.layers.Layer {
    static className = "RandomWeights";
    override call(inputs: never) {
      const x = ([inputs].flat() as never[])[0]!;
      return tf.mul(x, tf.randomUniform([FEATURES], 0, 1));
    }
    override computeOutputShape(shape: never) {
      return shape;
    }
  }
  const learner = LEARNERS.compiled(new RandomWeights({}), FEATURES + 1);
  // The mean square of a uniform number is 1/3.
  const all = await losses(learner, 3, FEATURES + 1, 400);
  const mean = all.reduce((sum, loss) => sum + loss, 0) / 400;
  assert.ok(Math.abs(mean - 1 / 3) < 0.05, String(mean));
  assert.throws(
    () => LEARNERS.compiled(new RandomWeights({}), FEATURES),
    (error) => error instanceof NotRecordable && /mixes samples/.test(error.message),
  );
});
