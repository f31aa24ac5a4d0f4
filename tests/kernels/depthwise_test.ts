import fc from "fast-check";
import {
  conv2dOutput,
  depthwiseForward,
  depthwiseInputGradient,
  type DepthwiseShape,
  depthwiseWeightGradient,
} from "../../src/kernels/mod.ts";
import {
  referenceDepthwiseForward,
  referenceDepthwiseInputGradient,
  referenceDepthwiseWeightGradient,
} from "../../src/kernels/reference/mod.ts";
import { checkConvolution, type ConvolutionEpilogues } from "./check_convolution.ts";

const kernels = {
  forward: depthwiseForward,
  inputGradient: depthwiseInputGradient,
  weightGradient: depthwiseWeightGradient,
};
const reference = {
  forward: referenceDepthwiseForward,
  inputGradient: referenceDepthwiseInputGradient,
  weightGradient: referenceDepthwiseWeightGradient,
};

function check(
  { multiplier = 1, ...shape }: Omit<DepthwiseShape, "outputChannels"> & { multiplier?: number },
  epilogues?: ConvolutionEpilogues,
): void {
  const outputChannels = shape.inputChannels * multiplier;
  const weights = shape.kernelHeight * shape.kernelWidth * outputChannels;
  checkConvolution(kernels, reference, { ...shape, outputChannels }, weights, epilogues);
}

const base = {
  ...{ batch: 8, inputHeight: 7, inputWidth: 9, inputChannels: 3 },
  ...{ kernelHeight: 3, kernelWidth: 3 },
};
const around = { padTop: 1, padBottom: 1, padLeft: 1, padRight: 1 };

Deno.test("depthwise kernels agree with the plain sums for kernels, channels and multipliers", () => {
  for (const kernel of [1, 2, 3, 5]) {
    for (const inputChannels of [1, 4, 5]) {
      for (const multiplier of [1, 2, 3]) {
        const shape = { ...base, kernelHeight: kernel, kernelWidth: kernel, inputChannels };
        check({ ...shape, multiplier });
        if (kernel > 1) check({ ...shape, multiplier, ...around });
      }
    }
  }
});

Deno.test("depthwise kernels agree with the plain sums for strides and dilations", () => {
  for (const stride of [2, 3]) {
    check({ ...base, strideHeight: stride, strideWidth: stride });
    check({ ...base, strideHeight: stride, strideWidth: stride, ...around, multiplier: 2 });
  }
  check({ ...base, dilationHeight: 2, dilationWidth: 3, ...around });
  check({ ...base, dilationHeight: 3, strideHeight: 2, dilationWidth: 2, strideWidth: 2 });
});

Deno.test("depthwise kernels agree with the plain sums for batches from 4 to 68", () => {
  for (const batch of [4, 12, 32, 36, 68]) check({ ...base, batch, ...around, multiplier: 2 });
});

Deno.test("depthwise kernels agree where a tap or a pixel meets nothing", () => {
  check({ ...base, inputHeight: 1, inputWidth: 1, ...around });
  check({ ...base, padTop: 5, padLeft: 4 }, { forward: { bias: "row" } });
});

Deno.test("depthwise kernels apply their epilogues", () => {
  for (const multiplier of [1, 2]) {
    check({ ...base, ...around, multiplier }, {
      forward: { bias: "row", activation: "relu" },
      input: { mask: true },
      weights: { accumulate: true, scale: -0.01 },
    });
    check({ ...base, ...around, multiplier }, {
      forward: { bias: "row", mask: true, scale: "operand" },
      input: { accumulate: true, scale: "operand" },
      weights: { accumulate: true, scale: "operand" },
    });
  }
});

Deno.test("depthwise kernels agree with the plain sums on random shapes", () => {
  const small = (max: number, min = 1) => fc.integer({ min, max });
  const shapes = fc.record({
    batch: fc.constantFrom(4, 8, 12, 36),
    ...{ inputHeight: small(9), inputWidth: small(9), inputChannels: small(5) },
    ...{ multiplier: small(3), kernelHeight: small(4), kernelWidth: small(4) },
    ...{ strideHeight: small(3), strideWidth: small(3) },
    ...{ dilationHeight: small(2), dilationWidth: small(2) },
    ...{ padTop: small(3, 0), padBottom: small(3, 0), padLeft: small(3, 0), padRight: small(3, 0) },
  });
  const possible = shapes.filter((shape) => {
    try {
      conv2dOutput({ ...shape, outputChannels: 1 });
      return true;
    } catch {
      return false;
    }
  });
  fc.assert(fc.property(possible, (shape) => check(shape)), { numRuns: 60 });
});
