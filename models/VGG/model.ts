/**
 * A VGG network (Simonyan and Zisserman, 2014) for colour images of 32 x 32 pixels: convolutions
 * 3 x 3 in groups of two, each group with half the pixels and twice the filters of the one before;
 * its outputs are logits.
 */
import type { ModelApi } from "../../src/training/model_api.ts";

interface Args {
  readonly num_classes?: number;
  /** Filters of the first group. */
  readonly width?: number;
  readonly hidden?: number;
}

export default function vgg({ tf }: ModelApi, args: Args) {
  const { num_classes: classes = 10, width = 32, hidden = 256 } = args;
  const convolution = (filters: number, inputShape?: number[]) =>
    tf.layers.conv2d({
      filters,
      kernelSize: 3,
      padding: "same",
      activation: "relu",
      kernelInitializer: "heNormal",
      ...(inputShape && { inputShape }),
    });
  const group = (filters: number, inputShape?: number[]) => [
    convolution(filters, inputShape),
    convolution(filters),
    tf.layers.maxPooling2d({ poolSize: 2 }),
  ];
  return tf.sequential({
    layers: [
      ...group(width, [32, 32, 3]),
      ...group(2 * width),
      ...group(4 * width),
      ...group(8 * width),
      tf.layers.flatten(),
      tf.layers.dense({ units: hidden, activation: "relu" }),
      tf.layers.dense({ units: classes }),
    ],
  });
}
