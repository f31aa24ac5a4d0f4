/** Trains a model compiled and by tfjs's own cpu kernels, from the same start on the same batches. */
import type { JsonObject } from "../../../src/core/json.ts";
import { seeded } from "../../../src/core/prng.ts";
import type { Dataset } from "../../../src/data/dataset.ts";
import type { BuiltModel } from "../../../src/training/built_model.ts";
import { compileLearner } from "../../../src/training/compile_learner.ts";
import { eagerStepper, type SampleBatch, sampleBatch, weightsOf } from "./sample_models.ts";

/** How both train. */
export interface Comparison {
  readonly loss: string;
  readonly optimizer: string;
  readonly args: JsonObject;
  readonly learningRate: number;
  /** Of a batch. */
  readonly samples: number;
  readonly steps: number;
  /** Of FedProx. */
  readonly proximalMu: number;
}

/** What differed in the end. */
export interface Differences {
  /** The largest of a loss, relative to it. */
  readonly lossDifference: number;
  /** The largest of a weight after the last step. */
  readonly weightDifference: number;
  /** Norm of the trained weights' difference, relative to that of their way from the start. */
  readonly wayDifference: number;
}

/** Trains both ways. */
export function compareTraining(
  built: BuiltModel,
  {
    loss = "crossentropy",
    optimizer = "sgd",
    args = {},
    learningRate = 0.05,
    samples = 5,
    steps = 10,
    proximalMu = 0,
  }: Partial<Comparison> = {},
): Differences {
  const prng = seeded(3);
  const batches = Array.from({ length: steps }, () => sampleBatch(built, samples, prng));
  const learner = compileLearner(
    built,
    { loss, optimizer: { name: optimizer, args, proximalMu } },
    datasetOf(built, batches, loss === "crossentropy"),
    { train: [samples], evaluate: [samples] },
  );
  const start = Float32Array.from(weightsOf(built).flatMap((values) => [...values]));
  learner.setWeights(start);
  learner.startTraining({ learningRate, random: seeded(9) });
  const eager = eagerStepper(
    built,
    { loss, optimizer, optimizerArgs: args, proximalMu },
    learningRate,
  );
  let lossDifference = 0;
  batches.forEach((batch, index) => {
    const indices = Int32Array.from({ length: samples }, (_, n) => index * samples + n);
    const expected = eager(batch);
    const got = learner.train(indices).loss;
    lossDifference = Math.max(lossDifference, Math.abs(got - expected) / Math.abs(expected));
  });
  const weights = new Float32Array(start.length);
  learner.copyWeights(weights);
  const expected = weightsOf(built).flatMap((values) => [...values]);
  const differences = expected.map((value, i) => value - weights[i]!);
  const weightDifference = differences.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  const way = expected.map((value, i) => value - start[i]!);
  const trained = built.description.layout.filter(({ name }) => !name.includes("moving"));
  const norm = (values: readonly number[]) =>
    Math.hypot(
      ...trained.map(({ offset, size }) =>
        Math.sqrt(values.slice(offset, offset + size).reduce((sum, each) => sum + each * each, 0))
      ),
    );
  return { lossDifference, weightDifference, wayDifference: norm(differences) / norm(way) };
}

/** All batches as one dataset. */
export function datasetOf(
  { model, outputShape }: BuiltModel,
  batches: readonly SampleBatch[],
  takesClasses: boolean,
): Dataset {
  const joined = (part: "items" | "labels" | "targets") =>
    Float32Array.from(batches.flatMap((batch) => [...batch[part]]));
  return {
    name: "sample",
    items: joined("items"),
    shape: model.inputs[0]!.shape.slice(1) as number[],
    count: batches.reduce((sum, { labels }) => sum + labels.length, 0),
    labels: takesClasses ? Int32Array.from(joined("labels")) : joined("targets"),
    targetShape: takesClasses ? [] : outputShape,
    classes: takesClasses ? outputShape.at(-1)! : null,
    classesDeclared: true,
    labelCounts: null,
    normalise: null,
  };
}
