/**
 * LeNet-5 (LeCun et al., 1998) with ReLU and max pooling, for grey images of 28 x 28 pixels, which
 * are padded to 32 x 32, or of 32 x 32; its outputs are logits.
 */
import type { ModelApi } from "../../src/training/model_api.ts";

interface Args {
  readonly num_classes?: number;
  /** 28 or 32. */
  readonly image_size?: number;
}

export default function lenet5({ tf }: ModelApi, args: Args) {
  const size = args.image_size ?? 28;
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        inputShape: [size, size, 1],
        filters: 6,
        kernelSize: 5,
        padding: size === 28 ? "same" : "valid",
        activation: "relu",
      }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d({ filters: 16, kernelSize: 5, activation: "relu" }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 120, activation: "relu" }),
      tf.layers.dense({ units: 84, activation: "relu" }),
      tf.layers.dense({ units: args.num_classes ?? 10 }),
    ],
  });
}
