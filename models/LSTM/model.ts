/** An LSTM for a series: reads numbers over time and predicts the next, or others of the kind. */
import type { ModelApi } from "../../src/training/model_api.ts";

interface Args {
  /** Steps of an item. */
  readonly steps?: number;
  /** Numbers of a step. */
  readonly features?: number;
  readonly units?: number;
  /** Numbers to predict, or classes. */
  readonly outputs?: number;
}

export default function lstm({ tf }: ModelApi, args: Args) {
  const { steps = 20, features = 1, units = 32, outputs = 1 } = args;
  const spread = 1 / Math.sqrt(units);
  // An orthogonal matrix, which is usual, takes seconds to make.
  const recurrent = tf.initializers.randomUniform({ minval: -spread, maxval: spread });
  return tf.sequential({
    layers: [
      tf.layers.lstm({
        units,
        inputShape: [steps, features],
        recurrentActivation: "sigmoid",
        recurrentInitializer: recurrent,
      }),
      tf.layers.dense({ units: outputs }),
    ],
  });
}
