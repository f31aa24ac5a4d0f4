/** Against losses that bench/peers/torch_losses.py wrote: the same weights, items and steps here. */
import assert from "node:assert/strict";
import * as core from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { readPackage } from "../../src/config/read_package.ts";
import { registerChainedOps } from "../../src/training/chained_ops.ts";
import { describeBuilt } from "../../src/training/built_model.ts";
import { compileLearner } from "../../src/training/compile_learner.ts";
import { buildModel } from "../../src/training/model_source.ts";
import expected from "../fixtures/torch_losses.json" with { type: "json" };

const CLASSES = 10;
const IMAGE = 28 * 28;
/** Batches that are trained in turn. */
const BATCHES = 4;

registerChainedOps();
await core.setBackend("cpu");

/** `count` numbers in [-1, 1) from place `start` of a fixed sequence: a hash of 32-bit integers. */
function numbers(start: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    let h = (Math.imul(start + i, 2654435761) + 0x9e3779b9) | 0;
    h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 0) / 2 ** 31 - 1;
  });
}

/** The sequence scaled by each weight's inputs, and biases of 0. */
function startWeights(layout: readonly { shape: readonly number[]; size: number }[]): Float32Array {
  let start = 0;
  return Float32Array.from(layout.flatMap(({ shape, size }) => {
    if (shape.length === 1) return [...new Float32Array(size)];
    const spread = Math.sqrt(3 / (size / shape.at(-1)!));
    start += size;
    return [...numbers(start - size, size).map((value) => value * spread)];
  }));
}

for (const { model, optimizer, learning_rate: learningRate, losses } of expected.runs) {
  Deno.test(`compileLearner() trains ${model} by ${optimizer} as PyTorch does`, async () => {
    const { samples, steps } = expected;
    const folder = new URL(`../../models/${model}`, import.meta.url).pathname;
    const source = { modelPackage: await readPackage(folder, model), args: {} };
    const built = describeBuilt(await buildModel(source, 1));
    const count = BATCHES * samples;
    const learner = compileLearner(
      built,
      { loss: "crossentropy", optimizer: { name: optimizer, args: {} } },
      {
        name: "formula",
        items: numbers(1_000_000, count * IMAGE),
        shape: [28, 28, 1],
        count,
        labels: Int32Array.from({ length: count }, (_, item) => item * 7 % CLASSES),
        targetShape: [],
        classes: CLASSES,
        classesDeclared: true,
        labelCounts: null,
        normalise: null,
      },
      { train: [samples], evaluate: [] },
    );
    learner.setWeights(startWeights(built.description.layout));
    learner.startTraining({ learningRate, random: Math.random });
    assert.equal(losses.length, steps);
    losses.forEach((wanted, step) => {
      const first = step % BATCHES * samples;
      const { loss } = learner.train(Int32Array.from({ length: samples }, (_, n) => first + n));
      const difference = Math.abs(loss - wanted) / wanted;
      assert(difference < 1e-3, `step ${step}: loss ${loss}, PyTorch's ${wanted}`);
    });
  });
}
