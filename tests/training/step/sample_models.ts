/** Small models, one for each kind of layer that a step can hold, and the eager step to compare. */
import * as core from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { seeded } from "../../../src/core/prng.ts";
import { tf } from "../../../src/training/backend.ts";
import {
  type BuiltModel,
  describeBuilt,
  trainableVariables,
} from "../../../src/training/built_model.ts";
import { registerChainedOps } from "../../../src/training/chained_ops.ts";
import { lossOf } from "../../../src/training/losses.ts";
import { makeOptimizer } from "../../../src/training/optimizers.ts";
import type { StepSettings } from "../../../src/training/step/record.ts";

registerChainedOps();
await core.setBackend("cpu");
const layers = tf.layers;

export const SAMPLE_MODELS: Readonly<Record<string, () => LayersModel>> = {
  mlp: () =>
    tf.sequential({
      layers: [
        layers.flatten({ inputShape: [4, 5, 1] }),
        layers.dense({ units: 7, activation: "relu" }),
        layers.dense({ units: 3 }),
      ],
    }),
  lenet: () =>
    tf.sequential({
      layers: [
        layers.conv2d({
          inputShape: [12, 12, 1],
          filters: 3,
          kernelSize: 5,
          padding: "same",
          activation: "relu",
        }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.conv2d({ filters: 4, kernelSize: 3, activation: "relu" }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.flatten(),
        layers.dense({ units: 6, activation: "relu" }),
        layers.dense({ units: 3 }),
      ],
    }),
  "batch norm": () =>
    tf.sequential({
      layers: [
        layers.conv2d({ inputShape: [6, 6, 2], filters: 3, kernelSize: 3, useBias: false }),
        layers.batchNormalization(),
        layers.reLU({ maxValue: 6 }),
        layers.globalAveragePooling2d({}),
        layers.dense({ units: 3 }),
      ],
    }),
  "batch norm of vectors": () =>
    tf.sequential({
      layers: [
        layers.dense({ inputShape: [5], units: 6 }),
        layers.batchNormalization({ momentum: 0.8 }),
        layers.dense({ units: 3 }),
      ],
    }),
  depthwise: () =>
    tf.sequential({
      layers: [
        layers.depthwiseConv2d({
          inputShape: [7, 7, 2],
          kernelSize: 3,
          strides: 2,
          padding: "same",
          depthMultiplier: 2,
        }),
        layers.conv2d({ filters: 3, kernelSize: 1, activation: "relu" }),
        layers.averagePooling2d({ poolSize: 3, strides: 2, padding: "same" }),
        layers.flatten(),
        layers.dense({ units: 3 }),
      ],
    }),
  "depthwise, windows inside": () =>
    tf.sequential({
      layers: [
        layers.depthwiseConv2d({ inputShape: [7, 7, 2], kernelSize: 3, depthMultiplier: 2 }),
        layers.averagePooling2d({ poolSize: 3, strides: 2 }),
        layers.flatten(),
        layers.dense({ units: 3 }),
      ],
    }),
  residual: () => {
    const input = tf.input({ shape: [6, 6, 2] });
    const first = layers.conv2d({ filters: 4, kernelSize: 3, padding: "same" }).apply(input);
    const active = layers.activation({ activation: "relu" }).apply(first);
    const second = layers.conv2d({ filters: 4, kernelSize: 3, padding: "same" }).apply(active);
    const sum = layers.add().apply([second, first] as never);
    const wide = layers.concatenate().apply([sum, active] as never);
    const small = layers.conv2d({ filters: 3, kernelSize: 1, strides: 2 }).apply(wide);
    const padded = layers.zeroPadding2d({ padding: 1 }).apply(small);
    const pooled = layers.maxPooling2d({ poolSize: 3, strides: 2 }).apply(padded);
    const outputs = layers.dense({ units: 3 }).apply(layers.flatten().apply(pooled));
    return tf.model({ inputs: input, outputs: outputs as never });
  },
  softmax: () =>
    tf.sequential({
      layers: [
        layers.dense({ inputShape: [5], units: 6, activation: "tanh" }),
        layers.dense({ units: 4, activation: "elu" }),
        layers.leakyReLU(),
        layers.dense({ units: 4, activation: "softplus" }),
        layers.dense({ units: 3, activation: "softmax" }),
      ],
    }),
  sigmoid: () =>
    tf.sequential({
      layers: [
        layers.dense({ inputShape: [5], units: 6, activation: "selu" }),
        layers.dense({ units: 3, activation: "sigmoid" }),
      ],
    }),
  regularised: () =>
    tf.sequential({
      layers: [
        layers.dense({
          inputShape: [5],
          units: 6,
          kernelRegularizer: tf.regularizers.l1l2({ l1: 0.01, l2: 0.01 }),
          activation: "relu6",
        }),
        layers.dense({ units: 3, kernelRegularizer: tf.regularizers.l2({ l2: 0.01 }) }),
      ],
    }),
  lstm: () =>
    tf.sequential({
      layers: [
        layers.embedding({ inputDim: 9, outputDim: 4, inputLength: 3 }),
        layers.lstm({ units: 5 }),
        layers.dense({ units: 3 }),
      ],
    }),
  gru: () =>
    tf.sequential({
      layers: [layers.gru({ units: 4, inputShape: [3, 2] }), layers.dense({ units: 3 })],
    }),
  sequences: () =>
    tf.sequential({
      layers: [
        layers.dense({ units: 4, inputShape: [3, 2], activation: "relu" }),
        layers.simpleRNN({ units: 4, returnSequences: true }),
        layers.layerNormalization(),
        layers.globalAveragePooling1d({}),
        layers.dense({ units: 3 }),
      ],
    }),
};

/** Numbers that a batch of a model takes, and class numbers. */
export interface SampleBatch {
  /** [samples, ...item] */
  readonly items: Float32Array;
  readonly labels: Float32Array;
  /** [samples, ...output] */
  readonly targets: Float32Array;
}

/** A sample model with weights that the seed decides. */
export function build(name: string, seed = 1): BuiltModel {
  return describeSeeded(SAMPLE_MODELS[name]!, seed);
}

/** Any model with weights that the seed decides. */
export function describeSeeded(make: () => LayersModel, seed = 1): BuiltModel {
  const { random } = Math;
  Math.random = seeded(seed);
  try {
    return describeBuilt(make());
  } finally {
    Math.random = random;
  }
}

export function sampleBatch(built: BuiltModel, samples: number, prng: () => number): SampleBatch {
  const shape = built.model.inputs[0]!.shape.slice(1) as number[];
  const size = shape.reduce((product, each) => product * each, samples);
  const embeds = built.model.layers.some((layer) => layer.getClassName() === "Embedding");
  const [outputs] = built.outputShape as [number];
  const targets = new Float32Array(samples * outputs).map(() => prng());
  return {
    items: new Float32Array(size).map(() => embeds ? Math.floor(prng() * 9) : prng() * 2 - 1),
    labels: new Float32Array(samples).map(() => Math.floor(prng() * outputs)),
    targets,
  };
}

/** Trains eagerly; returns a function that does one step and gives its loss. */
export function eagerStepper(built: BuiltModel, settings: StepSettings, learningRate: number) {
  const loss = lossOf(settings.loss);
  const optimizer = makeOptimizer(
    settings.optimizer,
    learningRate,
    settings.optimizerArgs,
    settings.proximalMu,
  );
  const variables = trainableVariables(built);
  return function step({ items, labels, targets }: SampleBatch): number {
    return core.tidy(() => {
      const samples = labels.length;
      const shape = built.model.inputs[0]!.shape.slice(1) as number[];
      const x = tf.tensor(items, [samples, ...shape]);
      const y = loss.takesClasses
        ? tf.tensor1d(Int32Array.from(labels), "int32")
        : tf.tensor(targets, [samples, ...built.outputShape]);
      const { value, grads } = tf.variableGrads(() => {
        const outputs = built.model.apply(x, { training: true }) as core.Tensor;
        const mean = loss.mean(outputs, y, built.isProbability);
        return built.model.calculateLosses().reduce((a, b) => tf.add(a, b), mean) as core.Scalar;
      }, variables);
      optimizer.applyGradients(grads, variables);
      return value.dataSync()[0]!;
    });
  };
}

/** All weights of a model, one array each. */
export function weightsOf({ model }: BuiltModel): Float32Array[] {
  return model.weights.map((weight) => (weight.read().dataSync() as Float32Array).slice());
}

/** [samples][features] to [features][lanes], with zeros behind the last sample. */
export function batchLast(rows: Float32Array, samples: number, lanes: number): Float32Array {
  const features = rows.length / samples;
  const result = new Float32Array(features * lanes);
  for (let n = 0; n < samples; n++) {
    for (let i = 0; i < features; i++) result[i * lanes + n] = rows[n * features + i]!;
  }
  return result;
}
