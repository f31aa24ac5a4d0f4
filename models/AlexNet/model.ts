/**
 * AlexNet (Krizhevsky et al., 2012) for colour images of 32 x 32 pixels: smaller kernels and
 * strides than for large images; its outputs are logits.
 */
import type { ModelApi } from "../../src/training/model_api.ts";

interface Args {
  readonly num_classes?: number;
  /** Filters of the first convolution. */
  readonly width?: number;
  readonly hidden?: number;
  /** Share of the inputs of the first two dense layers that are dropped in training. */
  readonly dropout?: number;
}

export default function alexNet({ tf }: ModelApi, args: Args) {
  const { num_classes: classes = 10, width = 64, hidden = 1024, dropout = 0.5 } = args;
  const convolution = (filters: number) =>
    tf.layers.conv2d({ filters, kernelSize: 3, padding: "same", activation: "relu" });
  const pool = () => tf.layers.maxPooling2d({ poolSize: 2 });
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        inputShape: [32, 32, 3],
        filters: width,
        kernelSize: 3,
        strides: 2,
        padding: "same",
        activation: "relu",
      }),
      pool(),
      convolution(3 * width),
      pool(),
      convolution(6 * width),
      convolution(4 * width),
      convolution(4 * width),
      pool(),
      tf.layers.flatten(),
      tf.layers.dropout({ rate: dropout }),
      tf.layers.dense({ units: hidden, activation: "relu" }),
      tf.layers.dropout({ rate: dropout }),
      tf.layers.dense({ units: hidden, activation: "relu" }),
      tf.layers.dense({ units: classes }),
    ],
  });
}
