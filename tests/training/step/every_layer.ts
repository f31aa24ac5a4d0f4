/** A small model around each layer of tfjs, but for those in which others are put together. */
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { tf } from "../../../src/training/backend.ts";

const { layers } = tf;
type Layer = ReturnType<typeof layers.dense>;

/** The layer between what an item is and three outputs. */
function around(inputShape: number[], layer: unknown): LayersModel {
  const input = tf.input({ shape: inputShape });
  const result = (layer as Layer).apply(input) as ReturnType<typeof tf.input>;
  const flat = result.shape.length > 2 ? layers.flatten().apply(result) : result;
  return tf.model({ inputs: input, outputs: layers.dense({ units: 3 }).apply(flat) as never });
}

/** A layer of two inputs, which get the items and a dense layer's outputs. */
function joining(layer: unknown): LayersModel {
  const input = tf.input({ shape: [4] });
  const other = layers.dense({ units: 4 }).apply(input);
  const result = (layer as Layer).apply([input, other] as never);
  return tf.model({ inputs: input, outputs: layers.dense({ units: 3 }).apply(result) as never });
}

const IMAGE = [6, 5, 2];
const SERIES = [6, 3];
const VOLUME = [4, 4, 4, 2];

/** By the name that tfjs's `layers` has. */
export const EVERY_LAYER: Readonly<Record<string, () => LayersModel>> = {
  activation: () => around([4], layers.activation({ activation: "hardSigmoid" })),
  add: () => joining(layers.add()),
  alphaDropout: () => around([4], layers.alphaDropout({ rate: 0 })),
  average: () => joining(layers.average()),
  averagePooling1d: () => around(SERIES, layers.averagePooling1d({ poolSize: 2 })),
  averagePooling2d: () => around(IMAGE, layers.averagePooling2d({ poolSize: 2 })),
  averagePooling3d: () => around(VOLUME, layers.averagePooling3d({ poolSize: 2 } as never)),
  batchNormalization: () => around(IMAGE, layers.batchNormalization()),
  bidirectional: () =>
    around(
      SERIES,
      layers.bidirectional({ layer: layers.lstm({ units: 2 }) as never, mergeMode: "concat" }),
    ),
  centerCrop: () => around(IMAGE, layers.centerCrop({ height: 3, width: 3 })),
  concatenate: () => joining(layers.concatenate()),
  conv1d: () => around(SERIES, layers.conv1d({ filters: 3, kernelSize: 3, padding: "same" })),
  conv2d: () => around(IMAGE, layers.conv2d({ filters: 3, kernelSize: 3, padding: "same" })),
  conv2dTranspose: () =>
    around(IMAGE, layers.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2 })),
  conv3d: () => around(VOLUME, layers.conv3d({ filters: 2, kernelSize: 2 })),
  conv3dTranspose: () => around(VOLUME, layers.conv3dTranspose({ filters: 2, kernelSize: 2 })),
  convLstm2d: () => around([2, 4, 4, 1], layers.convLstm2d({ filters: 2, kernelSize: 2 } as never)),
  cropping2D: () => around(IMAGE, layers.cropping2D({ cropping: [[1, 1], [0, 2]] })),
  dense: () => around(SERIES, layers.dense({ units: 4, activation: "softsign" })),
  depthwiseConv2d: () => around(IMAGE, layers.depthwiseConv2d({ kernelSize: 3 })),
  dot: () => joining(layers.dot({ axes: 1 })),
  dropout: () => around([4], layers.dropout({ rate: 0 })),
  elu: () => around([4], layers.elu()),
  embedding: () => {
    const input = tf.input({ shape: [4] });
    const rows = layers.embedding({ inputDim: 9, outputDim: 3 }).apply(input);
    const flat = layers.flatten().apply(rows);
    return tf.model({ inputs: input, outputs: layers.dense({ units: 3 }).apply(flat) as never });
  },
  flatten: () => around(IMAGE, layers.flatten()),
  gaussianDropout: () => around([4], layers.gaussianDropout({ rate: 0 })),
  gaussianNoise: () => around([4], layers.gaussianNoise({ stddev: 0 })),
  globalAveragePooling1d: () => around(SERIES, layers.globalAveragePooling1d({})),
  globalAveragePooling2d: () => around(IMAGE, layers.globalAveragePooling2d({})),
  globalMaxPooling1d: () => around(SERIES, layers.globalMaxPooling1d({})),
  globalMaxPooling2d: () => around(IMAGE, layers.globalMaxPooling2d({})),
  gru: () => around(SERIES, layers.gru({ units: 3 })),
  layerNormalization: () => around(SERIES, layers.layerNormalization()),
  leakyReLU: () => around([4], layers.leakyReLU()),
  lstm: () => around(SERIES, layers.lstm({ units: 3, returnSequences: true })),
  masking: () => around(SERIES, layers.masking()),
  maxPooling1d: () => around(SERIES, layers.maxPooling1d({ poolSize: 2 })),
  maxPooling2d: () => around(IMAGE, layers.maxPooling2d({ poolSize: 2 })),
  maxPooling3d: () => around(VOLUME, layers.maxPooling3d({ poolSize: 2 } as never)),
  maximum: () => joining(layers.maximum()),
  minimum: () => joining(layers.minimum()),
  multiply: () => joining(layers.multiply()),
  permute: () => around(SERIES, layers.permute({ dims: [2, 1] })),
  prelu: () => around([4], layers.prelu()),
  reLU: () => around([4], layers.reLU({ maxValue: 0.5 })),
  repeatVector: () => around([4], layers.repeatVector({ n: 3 })),
  rescaling: () => around(IMAGE, layers.rescaling({ scale: 0.5, offset: 1 })),
  reshape: () => around(IMAGE, layers.reshape({ targetShape: [10, 6] })),
  rnn: () => around(SERIES, layers.rnn({ cell: layers.gruCell({ units: 3 }) })),
  separableConv2d: () =>
    around(IMAGE, layers.separableConv2d({ filters: 3, kernelSize: 3, depthMultiplier: 2 })),
  simpleRNN: () => around(SERIES, layers.simpleRNN({ units: 3 })),
  softmax: () => around([4], layers.softmax()),
  spatialDropout1d: () => around(SERIES, layers.spatialDropout1d({ rate: 0 } as never)),
  thresholdedReLU: () => around([4], layers.thresholdedReLU({ theta: 0.2 })),
  timeDistributed: () =>
    around(SERIES, layers.timeDistributed({ layer: layers.dense({ units: 2 }) as never })),
  upSampling2d: () => around(IMAGE, layers.upSampling2d({ size: [2, 2] })),
  zeroPadding2d: () => around(IMAGE, layers.zeroPadding2d({ padding: [1, 2] })),
};

/** Layers that train in tfjs, kernel by kernel, and what the compiler says of them. */
export const NOT_COMPILED: Readonly<Record<string, RegExp>> = {
  averagePooling3d: /no rule for kernel AvgPool3D/,
  bidirectional: /no rule for kernel Reverse/,
  centerCrop: /no rule for kernel Range/,
  conv3d: /no rule for kernel Conv3D/,
  conv3dTranspose: /no rule for kernel Conv3DBackpropInputV2/,
  gaussianNoise: /random numbers other than uniform/,
  masking: /no rule for kernel Any/,
  maxPooling3d: /no rule for kernel MaxPool3D/,
  upSampling2d: /no rule for kernel ResizeNearestNeighbor/,
};
