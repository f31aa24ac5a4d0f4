/** A linear model of a table's columns: one logit a class, or one number to predict. */
import type { ModelApi } from "../../src/training/model_api.ts";

interface Args {
  /** Columns of an item. */
  readonly inputs?: number;
  /** Classes, or numbers to predict. */
  readonly outputs?: number;
}

export default function linear({ tf }: ModelApi, { inputs = 4, outputs = 1 }: Args) {
  return tf.sequential({
    layers: [
      tf.layers.dense({ units: outputs, inputShape: [inputs], kernelInitializer: "zeros" }),
    ],
  });
}
