/**
 * A MobileNet (Howard et al., 2017) for small colour images: convolutions split into a
 * depthwise and a pointwise one, each followed by batch norm and ReLU6; its outputs are logits.
 */
import type { ModelApi } from "../../src/training/model_api.ts";

interface Args {
  readonly num_classes?: number;
  /** Filters of the first convolution. */
  readonly width?: number;
  /** Height and width of the images. */
  readonly image_size?: number;
  /** Share of the features that are dropped in training. */
  readonly dropout?: number;
}

/** Filters, as multiples of the width, and stride of each separable convolution. */
const BLOCKS = [[2, 1], [4, 2], [4, 1], [8, 2], [8, 1], [16, 2], [16, 1]] as const;

export default function mobileNet({ tf }: ModelApi, args: Args) {
  const { num_classes: classes = 10, width = 32, image_size: size = 32, dropout = 0 } = args;
  const normalised = () => [
    tf.layers.batchNormalization({ momentum: 0.9 }),
    tf.layers.reLU({ maxValue: 6 }),
  ];
  const plain = { padding: "same", useBias: false } as const;
  const separable = (filters: number, strides: number) => [
    tf.layers.depthwiseConv2d({ ...plain, kernelSize: 3, strides }),
    ...normalised(),
    tf.layers.conv2d({ ...plain, filters, kernelSize: 1 }),
    ...normalised(),
  ];
  return tf.sequential({
    layers: [
      tf.layers.conv2d({ ...plain, inputShape: [size, size, 3], filters: width, kernelSize: 3 }),
      ...normalised(),
      ...BLOCKS.flatMap(([multiple, strides]) => separable(multiple * width, strides)),
      tf.layers.globalAveragePooling2d({}),
      ...(dropout > 0 ? [tf.layers.dropout({ rate: dropout })] : []),
      tf.layers.dense({ units: classes }),
    ],
  });
}
