/** Multilayer perceptron 784-128-10 for images of 28 x 28 grey pixels; its outputs are logits. */
import type { ModelApi } from "../../src/training/model_api.ts";

export default function mlp({ tf }: ModelApi, args: { num_classes?: number; hidden?: number }) {
  return tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [28, 28, 1] }),
      tf.layers.dense({ units: args.hidden ?? 128, activation: "relu" }),
      tf.layers.dense({ units: args.num_classes ?? 10 }),
    ],
  });
}
