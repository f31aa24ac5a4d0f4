/** Shapes of convolutions and pools as their kernels take them. */
import type { Conv2dShape } from "../../kernels/mod.ts";
import type { Operation, WindowShape } from "./graph.ts";

/** Of a pool over so many of the samples. */
export function poolShape(
  { take, shape }: Operation & { readonly kind: "pool" | "poolGradient" },
  lanes: number,
  count = lanes,
) {
  return { ...convShape(shape, lanes, count), take };
}

/** Of a convolution over so many of the samples; the padding behind is what makes the output as long as it is. */
export function convShape(shape: WindowShape, lanes: number, count = lanes): Conv2dShape {
  const behind = (
    input: number,
    output: number,
    kernel: number,
    stride: number,
    dilation: number,
    before: number,
  ) => Math.max(0, (output - 1) * stride + (kernel - 1) * dilation + 1 - input - before);
  const { outputHeight, outputWidth, ...rest } = shape;
  return {
    ...rest,
    batch: count,
    ...(count === lanes ? {} : { batchStride: lanes }),
    padBottom: behind(
      shape.inputHeight,
      outputHeight,
      shape.kernelHeight,
      shape.strideHeight,
      shape.dilationHeight,
      shape.padTop,
    ),
    padRight: behind(
      shape.inputWidth,
      outputWidth,
      shape.kernelWidth,
      shape.strideWidth,
      shape.dilationWidth,
      shape.padLeft,
    ),
  };
}
