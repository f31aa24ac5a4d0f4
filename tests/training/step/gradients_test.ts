/**
 * Gradients of compiled steps against differences of their losses: a plain SGD step of rate 1 moves
 * the weights by the gradient, and the loss of a step is that before it.
 */
import assert from "node:assert/strict";
import { seeded } from "../../../src/core/prng.ts";
import type { Dataset } from "../../../src/data/dataset.ts";
import type { BuiltModel } from "../../../src/training/built_model.ts";
import type { CompiledLearner } from "../../../src/training/compiled_learner.ts";
import { compileLearner } from "../../../src/training/compile_learner.ts";
import { EVERY_LAYER, NOT_COMPILED } from "./every_layer.ts";
import { build, describeSeeded, SAMPLE_MODELS, sampleBatch, weightsOf } from "./sample_models.ts";

const SAMPLES = 5;
/** Directions in which the whole model is checked. */
const DIRECTIONS = 3;
/** Losses have 24 bits: a smaller width would drown in their rounding, a larger one meets kinks. */
const WIDTH = 2e-3;

/** Models whose gradients are not the slopes, and why. */
const SKIPPED: Readonly<Record<string, string>> = {
  'of model "depthwise"':
    "tfjs spreads the gradient of an average over the part of its window outside, too",
};

interface Checked {
  readonly learner: CompiledLearner;
  readonly batch: Int32Array;
  readonly start: Float32Array;
  /** Which of the weights training changes by their gradient; the others are running means. */
  readonly moving: readonly boolean[];
}

function prepare(name: string, built: BuiltModel): Checked {
  const { items, labels } = sampleBatch(built, SAMPLES, seeded(8));
  const dataset: Dataset = {
    name,
    items,
    shape: built.model.inputs[0]!.shape.slice(1) as number[],
    count: SAMPLES,
    labels: Int32Array.from(labels),
    targetShape: [],
    classes: built.outputShape.at(-1)!,
    classesDeclared: true,
    labelCounts: null,
    normalise: null,
  };
  const settings = { loss: "crossentropy", optimizer: { name: "sgd", args: {} } };
  const learner = compileLearner(built, settings, dataset, { train: [SAMPLES], evaluate: [] });
  const trained = new Set(built.model.trainableWeights.map(({ name }) => name));
  return {
    learner,
    batch: Int32Array.from({ length: SAMPLES }, (_, n) => n),
    start: Float32Array.from(weightsOf(built).flatMap((values) => [...values])),
    moving: built.model.weights.flatMap(({ name, shape }) => {
      const size = (shape as number[]).reduce((product, each) => product * each, 1);
      return new Array<boolean>(size).fill(trained.has(name));
    }),
  };
}

/** Loss of one step from these weights, and the weights behind it. */
function step({ learner, batch }: Checked, weights: Float32Array) {
  learner.setWeights(weights);
  learner.startTraining({ learningRate: 1, random: seeded(1) });
  const { loss } = learner.train(batch);
  const after = new Float32Array(weights.length);
  learner.copyWeights(after);
  return { loss, after };
}

/** Slope of the loss in a direction, by central differences of two widths (Richardson). */
function slope(checked: Checked, direction: Float64Array): number {
  const difference = (width: number) => {
    const moved = (by: number) =>
      step(checked, checked.start.map((value, i) => value + by * direction[i]!)).loss;
    return (moved(width) - moved(-width)) / (2 * width);
  };
  return (4 * difference(WIDTH) - difference(2 * WIDTH)) / 3;
}

const MODELS: Readonly<Record<string, () => BuiltModel>> = {
  ...Object.fromEntries(
    Object.keys(SAMPLE_MODELS).map((name) => [`of model "${name}"`, () => build(name)]),
  ),
  ...Object.fromEntries(
    Object.entries(EVERY_LAYER).filter(([name]) => !(name in NOT_COMPILED)).map(([name, make]) => [
      `through layer ${name}`,
      () => describeSeeded(make),
    ]),
  ),
};

for (const [name, make] of Object.entries(MODELS)) {
  if (name in SKIPPED) continue;
  Deno.test(`gradients ${name} are the slopes of its loss`, () => {
    const checked = prepare(name, make());
    const { start, moving } = checked;
    const { after } = step(checked, start);
    const gradient = Float64Array.from(start, (value, i) => moving[i] ? value - after[i]! : 0);
    const length = Math.hypot(...gradient);
    assert.ok(length > 1e-3, `${length}`);
    // Along the gradient itself the slope is its length; others tell the weights apart.
    const random = seeded(11);
    const directions = [
      gradient.map((value) => value / length),
      ...Array.from({ length: DIRECTIONS }, () => {
        const signs = gradient.map((_, i) => moving[i] ? (random() < 0.5 ? -1 : 1) : 0);
        const size = Math.hypot(...signs);
        return signs.map((sign) => sign / size);
      }),
    ];
    for (const direction of directions) {
      const expected = slope(checked, direction);
      const actual = gradient.reduce((sum, value, i) => sum + value * direction[i]!, 0);
      assert.ok(
        Math.abs(actual - expected) < 0.01 * length,
        `${actual}, not ${expected}, with a gradient of length ${length}`,
      );
    }
  });
}
