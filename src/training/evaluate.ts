/** Evaluates a model on chosen items of a dataset. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Evaluation } from "../core/metrics.ts";
import type { Dataset } from "../data/dataset.ts";
import { countRight } from "./accuracy.ts";
import { tf } from "./backend.ts";
import { batchMaker } from "./batches.ts";
import type { BuiltModel } from "./built_model.ts";
import type { Loss } from "./losses.ts";

/** @returns null if there are no items */
export function evaluateItems(
  built: BuiltModel,
  dataset: Dataset,
  indices: Int32Array,
  loss: Loss,
  batchSize: number,
  throwIfCancelled: () => void,
): Evaluation | null {
  if (indices.length === 0) return null;
  const makeBatch = batchMaker(dataset, loss.takesClasses, built.outputShape);
  let lossSum = 0;
  let right: number | null = dataset.classes === null ? null : 0;
  for (let start = 0; start < indices.length; start += batchSize) {
    throwIfCancelled();
    const batch = indices.subarray(start, start + batchSize);
    tf.tidy(() => {
      const { inputs, targets } = makeBatch(batch);
      const outputs = built.model.apply(inputs, { training: false }) as Tensor;
      const mean = loss.mean(outputs, targets, built.isProbability).dataSync()[0]!;
      lossSum += mean * batch.length;
      if (right !== null) right += countRight(outputs.dataSync(), batch, dataset)!;
    });
  }
  const samples = indices.length;
  return { loss: lossSum / samples, accuracy: right === null ? null : right / samples, samples };
}
