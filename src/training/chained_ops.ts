/**
 * Tensor methods such as `x.mul(y)`. The union package of tfjs registers them; its layers package
 * uses them and yet leaves the registration to others.
 */
import type { DataType, Tensor } from "@tensorflow/tfjs-core";
import { core } from "./tfjs.ts";

type Operation = (...args: unknown[]) => unknown;

/** Operations whose first argument is the tensor itself. */
const OPERATIONS = `
  abs acos acosh add all any argMax argMin asin asinh atan atan2 atanh avgPool batchNorm
  batchToSpaceND broadcastTo cast ceil clipByValue conv1d conv2d conv2dTranspose cos cosh cumprod
  cumsum depthToSpace depthwiseConv2d dilation2d div divNoNan dot elu equal erf euclideanNorm exp
  expandDims expm1 fft floor floorDiv gather greater greaterEqual ifft irfft isFinite isInf isNaN
  leakyRelu less lessEqual localResponseNormalization log log1p logSigmoid logSoftmax logSumExp
  logicalAnd logicalNot logicalOr logicalXor matMul max maxPool maximum mean min minimum mirrorPad
  mod mul neg norm notEqual oneHot onesLike pad pool pow prelu prod reciprocal relu relu6 reshape
  resizeBilinear resizeNearestNeighbor reverse rfft round rsqrt selu separableConv2d sigmoid sign
  sin sinh slice softmax softplus spaceToBatchND split sqrt square squaredDifference squeeze step
  stridedSlice sub sum tan tanh tile topk transpose unique unsortedSegmentSum unstack zerosLike
`.trim().split(/\s+/);

/** Adds the methods to all tensors. */
export function registerChainedOps(): void {
  const { image, spectral } = core;
  const all = { ...core, ...image, ...spectral } as unknown as Readonly<Record<string, Operation>>;
  for (const name of OPERATIONS) {
    const operation = all[name]!;
    define(name, (tensor, ...args) => operation(tensor, ...args));
  }
  define("concat", (tensor, others, axis) => {
    const list = Array.isArray(others) ? others : [others];
    return core.concat([tensor, ...list] as Tensor[], axis as number);
  });
  define("stack", (tensor, others, axis) => {
    const list = Array.isArray(others) ? others : [others];
    return core.stack([tensor, ...list] as Tensor[], axis as number);
  });
  define("where", (tensor, condition, other) => {
    return core.where(condition as Tensor, tensor, other as Tensor);
  });
  define("flatten", (tensor) => core.reshape(tensor, [tensor.size]));
  define("asScalar", (tensor) => core.reshape(tensor, []));
  define("reshapeAs", (tensor, other) => core.reshape(tensor, (other as Tensor).shape));
  define("asType", (tensor, type) => core.cast(tensor, type as DataType));
  define("toFloat", (tensor) => core.cast(tensor, "float32"));
  define("toInt", (tensor) => core.cast(tensor, "int32"));
  define("toBool", (tensor) => core.cast(tensor, "bool"));
  for (const axes of [1, 2, 3, 4, 5]) {
    define(`as${axes}D`, (tensor, ...shape) => {
      return core.reshape(tensor, axes === 1 ? [tensor.size] : shape as number[]);
    });
  }
}

function define(name: string, method: (tensor: Tensor, ...args: unknown[]) => unknown): void {
  Object.defineProperty(core.Tensor.prototype, name, {
    configurable: true,
    writable: true,
    value(this: Tensor, ...args: unknown[]) {
      return method(this, ...args);
    },
  });
}
