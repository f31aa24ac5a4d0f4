/** A multilayer perceptron for a table's columns: one logit a class, or one number to predict. */
import type { ModelApi } from "../../src/training/model_api.ts";

interface Args {
  /** Columns of an item. */
  readonly inputs?: number;
  /** Units of each hidden layer. */
  readonly hidden?: readonly number[];
  /** Classes, or numbers to predict. */
  readonly outputs?: number;
}

export default function tableMlp({ tf }: ModelApi, args: Args) {
  const { inputs = 4, hidden = [32, 32], outputs = 1 } = args;
  return tf.sequential({
    layers: [...hidden, outputs].map((units, i) =>
      tf.layers.dense({
        units,
        ...(i === 0 ? { inputShape: [inputs] } : {}),
        ...(i < hidden.length ? { activation: "relu" as const } : {}),
      })
    ),
  });
}
