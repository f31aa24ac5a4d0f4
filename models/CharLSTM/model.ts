/**
 * A character LSTM: reads the numbers of a text's characters and tells which comes next, one logit
 * for each.
 */
import type { ModelApi } from "../../src/training/model_api.ts";

interface Args {
  /** Characters that there are. */
  readonly num_classes?: number;
  /** Characters of an item. */
  readonly length?: number;
  readonly embedding?: number;
  readonly units?: number;
}

export default function charLstm({ tf }: ModelApi, args: Args) {
  const { num_classes: classes = 80, length = 40, embedding = 8, units = 128 } = args;
  const spread = 1 / Math.sqrt(units);
  // An orthogonal matrix, which is usual, takes seconds to make.
  const recurrent = tf.initializers.randomUniform({ minval: -spread, maxval: spread });
  return tf.sequential({
    layers: [
      tf.layers.embedding({ inputDim: classes, outputDim: embedding, inputLength: length }),
      tf.layers.lstm({
        units,
        recurrentActivation: "sigmoid",
        recurrentInitializer: recurrent,
      }),
      tf.layers.dense({ units: classes }),
    ],
  });
}
