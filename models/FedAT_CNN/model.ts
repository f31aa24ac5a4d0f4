/** The convolutional network of FedAT for colour images of 32 x 32 pixels; its outputs are logits. */
import type { ModelApi } from "../../src/training/model_api.ts";

export default function fedatCnn(
  { tf }: ModelApi,
  args: { num_classes?: number; width?: number; hidden?: number },
) {
  const width = args.width ?? 32;
  const block = (filters: number, inputShape?: number[]) => [
    tf.layers.conv2d({
      filters,
      kernelSize: 3,
      padding: "same",
      ...(inputShape && { inputShape }),
    }),
    tf.layers.maxPooling2d({ poolSize: 2 }),
    tf.layers.reLU(),
  ];
  return tf.sequential({
    layers: [
      ...block(width, [32, 32, 3]),
      ...block(2 * width),
      ...block(2 * width),
      tf.layers.flatten(),
      tf.layers.dense({ units: args.hidden ?? 64, activation: "relu" }),
      tf.layers.dense({ units: args.num_classes ?? 10 }),
    ],
  });
}
