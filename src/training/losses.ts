/**
 * The losses by the names of the original, each as torch computes it with mean reduction, which is
 * noted at each. Outputs and targets have the batch as their first axis.
 */
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import { ModelError } from "../core/errors.ts";
import { tf } from "./backend.ts";

/** A loss over a batch. */
export interface Loss {
  /** True if the targets are class numbers [batch], false if numbers of the outputs' shape. */
  readonly takesClasses: boolean;
  /**
   * Mean loss of a batch.
   *
   * @param isProbability the outputs come from a softmax, so they are no logits
   */
  mean(outputs: Tensor, targets: Tensor, isProbability: boolean): Scalar;
}

/** Keeps logarithms of probabilities finite. */
const LEAST_PROBABILITY = 1e-30;

/** Names in the registry. */
export type LossName =
  | "crossentropy"
  | "mean_square_error"
  | "binary_crossentropy"
  | "binary_l1loss"
  | "binary_kldiv";

const LOSSES: Readonly<Record<LossName, Loss>> = {
  /** CrossEntropyLoss: -log softmax(outputs)[class]. A model that ends in softmax is seen as such. */
  crossentropy: {
    takesClasses: true,
    mean(outputs, targets, isProbability) {
      const logs = isProbability
        ? tf.log(tf.maximum(outputs, LEAST_PROBABILITY))
        : tf.logSoftmax(outputs);
      const chosen = tf.mul(logs, tf.oneHot(tf.cast(targets, "int32"), outputs.shape.at(-1)!));
      return tf.neg(tf.mean(tf.sum(chosen, -1)));
    },
  },
  /** MSELoss: (output - target)^2. */
  mean_square_error: {
    takesClasses: false,
    mean: (outputs, targets) => tf.mean(tf.squaredDifference(outputs, targets)),
  },
  /** BCELoss of probabilities, its logarithms bounded below by -100. */
  binary_crossentropy: {
    takesClasses: false,
    mean(outputs, targets) {
      const log = (x: Tensor) => tf.maximum(tf.log(tf.maximum(x, LEAST_PROBABILITY)), -100);
      const right = tf.mul(targets, log(outputs));
      const wrong = tf.mul(tf.sub(1, targets), log(tf.sub(1, outputs)));
      return tf.neg(tf.mean(tf.add(right, wrong)));
    },
  },
  /** L1Loss: |output - target|. */
  binary_l1loss: {
    takesClasses: false,
    mean: (outputs, targets) => tf.mean(tf.abs(tf.sub(outputs, targets))),
  },
  /** KLDivLoss of log-probabilities: target (log target - output), 0 where the target is 0. */
  binary_kldiv: {
    takesClasses: false,
    mean(outputs, targets) {
      const logs = tf.log(tf.maximum(targets, LEAST_PROBABILITY));
      return tf.mean(tf.mul(targets, tf.sub(logs, outputs)));
    },
  },
};

/** Names of all losses. */
export const LOSS_NAMES = Object.keys(LOSSES) as readonly LossName[];

/** @throws {ModelError} there is no loss of this name */
export function lossOf(name: string): Loss {
  if (!Object.hasOwn(LOSSES, name)) {
    throw new ModelError(`Cannot use loss "${name}": known are ${LOSS_NAMES.join(", ")}`);
  }
  return LOSSES[name as LossName];
}
