/** Turns items of a dataset into the tensors of one step. */
import type { Tensor } from "@tensorflow/tfjs-core";
import { batchFiller } from "../data/batch.ts";
import { type Dataset, elements } from "../data/dataset.ts";
import { rowPlaces } from "./accuracy.ts";
import { tf } from "./backend.ts";
import { fillTargets } from "./targets.ts";

/** Tensors of one batch; the caller disposes of them. */
export interface Batch {
  /** [batch, ...item shape] */
  readonly inputs: Tensor;
  /** Class numbers [batch], or numbers of the outputs' shape. */
  readonly targets: Tensor;
}

/** Makes the batch of the items with these indices. */
export type MakeBatch = (indices: Int32Array) => Batch;

/**
 * Prepares batches of a dataset.
 *
 * @param takesClasses the loss wants class numbers, not numbers of the outputs' shape
 * @param outputShape shape of the model's output for one item
 */
export function batchMaker(
  dataset: Dataset,
  takesClasses: boolean,
  outputShape: readonly number[],
): MakeBatch {
  const fill = batchFiller(dataset);
  const size = elements(dataset.shape);
  // tfjs copies it at once, so one buffer serves all batches.
  let buffer = new Float32Array(0);
  return function makeBatch(indices) {
    const length = indices.length * size;
    if (buffer.length < length) buffer = new Float32Array(length);
    const values = buffer.subarray(0, length);
    fill(indices, values);
    const inputs = tf.tensor(values, [indices.length, ...dataset.shape]);
    if (takesClasses) {
      const classes = Int32Array.from(indices, (index) => dataset.labels[index]!);
      return { inputs, targets: tf.tensor1d(classes, "int32") };
    }
    const units = elements(outputShape);
    const targets = new Float32Array(indices.length * units);
    fillTargets(dataset, indices, outputShape, targets, rowPlaces(units));
    return { inputs, targets: tf.tensor(targets, [indices.length, ...outputShape]) };
  };
}
