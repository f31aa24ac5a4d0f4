/**
 * The residual network for CIFAR-10 (He et al., 2015): three stages of blocks of two convolutions
 * whose sum with the block's input goes on; its outputs are logits.
 */
import type { ModelApi } from "../../src/training/model_api.ts";

interface Args {
  readonly num_classes?: number;
  /** Filters of the first stage. */
  readonly width?: number;
  /** Blocks in a stage; 3 make ResNet-20. */
  readonly blocks?: number;
}

export default function resNet({ tf }: ModelApi, args: Args) {
  const { num_classes: classes = 10, width = 16, blocks = 3 } = args;
  type Images = ReturnType<typeof tf.input>;
  const normalised = (from: Images, filters: number, kernelSize: number, strides: number) => {
    const convolution = tf.layers.conv2d({
      filters,
      kernelSize,
      strides,
      padding: "same",
      useBias: false,
      kernelInitializer: "heNormal",
    });
    const norm = tf.layers.batchNormalization({ momentum: 0.9 });
    return norm.apply(convolution.apply(from)) as Images;
  };
  const relu = (from: Images) => tf.layers.reLU().apply(from) as Images;
  const block = (from: Images, filters: number, strides: number) => {
    const inner = relu(normalised(from, filters, 3, strides));
    const sum = normalised(inner, filters, 3, 1);
    const same = strides === 1 && from.shape.at(-1) === filters;
    const shortcut = same ? from : normalised(from, filters, 1, strides);
    return relu(tf.layers.add().apply([sum, shortcut]) as Images);
  };
  const input = tf.input({ shape: [32, 32, 3] });
  let images = relu(normalised(input, width, 3, 1));
  for (let stage = 0; stage < 3; stage++) {
    for (let index = 0; index < blocks; index++) {
      images = block(images, width * 2 ** stage, stage > 0 && index === 0 ? 2 : 1);
    }
  }
  const features = tf.layers.globalAveragePooling2d({}).apply(images);
  const outputs = tf.layers.dense({ units: classes }).apply(features) as Images;
  return tf.model({ inputs: input, outputs });
}
