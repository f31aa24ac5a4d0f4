import assert from "node:assert/strict";
import fc from "fast-check";
import {
  conv2dForward,
  conv2dInputGradient,
  conv2dOutput,
  type Conv2dShape,
  conv2dWeightGradient,
  ModuleBuilder,
  WORKBENCH_BYTES,
} from "../../src/kernels/mod.ts";
import {
  referenceConv2dForward,
  referenceConv2dInputGradient,
  referenceConv2dWeightGradient,
} from "../../src/kernels/reference/mod.ts";
import { checkConvolution, type ConvolutionEpilogues } from "./check_convolution.ts";

const kernels = {
  forward: conv2dForward,
  inputGradient: conv2dInputGradient,
  weightGradient: conv2dWeightGradient,
};
const reference = {
  forward: referenceConv2dForward,
  inputGradient: referenceConv2dInputGradient,
  weightGradient: referenceConv2dWeightGradient,
};

function check(shape: Conv2dShape, epilogues?: ConvolutionEpilogues): void {
  const { kernelHeight, kernelWidth, inputChannels, outputChannels } = shape;
  const weights = kernelHeight * kernelWidth * inputChannels * outputChannels;
  checkConvolution(kernels, reference, shape, weights, epilogues);
}

const base: Conv2dShape = {
  ...{ batch: 8, inputHeight: 7, inputWidth: 9, inputChannels: 3, outputChannels: 5 },
  ...{ kernelHeight: 3, kernelWidth: 3 },
};

function padded(all: number): Partial<Conv2dShape> {
  return { padTop: all, padBottom: all, padLeft: all, padRight: all };
}

Deno.test("conv2d kernels agree with the plain sums for kernels of each size", () => {
  for (const kernel of [1, 2, 3, 4, 5, 6, 7]) {
    const pad = kernel > 6 ? 3 : Math.floor(kernel / 2);
    const shape = { ...base, kernelHeight: kernel, kernelWidth: kernel };
    check({ ...shape, ...padded(pad) });
    check(shape);
  }
  check({ ...base, inputHeight: 15, inputWidth: 13, kernelHeight: 11, kernelWidth: 11 });
  check({ ...base, kernelHeight: 1, kernelWidth: 5 });
  check({ ...base, kernelHeight: 5, kernelWidth: 1 });
});

Deno.test("conv2d kernels agree with the plain sums for any channels", () => {
  for (const inputChannels of [1, 2, 7]) {
    for (const outputChannels of [1, 6, 13]) {
      check({ ...base, inputChannels, outputChannels });
      check({ ...base, inputChannels, outputChannels, kernelHeight: 1, kernelWidth: 1 });
    }
  }
});

Deno.test("conv2d kernels agree with the plain sums for strides and dilations", () => {
  for (const stride of [2, 3]) {
    for (const kernel of [1, 2, 3, 5]) {
      const strides = { strideHeight: stride, strideWidth: stride };
      const shape = { ...base, ...strides, kernelHeight: kernel, kernelWidth: kernel };
      check(shape);
      check({ ...shape, padRight: 1, padBottom: 1 });
      check({ ...shape, ...padded(1) });
    }
  }
  check({ ...base, dilationHeight: 2, dilationWidth: 3 });
  check({ ...base, dilationHeight: 2, dilationWidth: 2, ...padded(2) });
  check({ ...base, dilationWidth: 2, strideWidth: 2, dilationHeight: 3, strideHeight: 2 });
});

Deno.test("conv2d kernels agree with the plain sums for batches from 4 to 68", () => {
  for (const batch of [4, 8, 12, 16, 20, 32, 68]) {
    check({ ...base, batch });
    check({ ...base, batch, kernelHeight: 5, kernelWidth: 5, ...padded(2) });
    check({ ...base, batch, kernelHeight: 1, kernelWidth: 1 });
  }
});

Deno.test("conv2d kernels agree where padding alone makes an output, or no output meets an input", () => {
  check({ ...base, inputHeight: 1, inputWidth: 1, ...padded(2) });
  check({ ...base, inputHeight: 2, inputWidth: 2, kernelHeight: 2, kernelWidth: 2, ...padded(3) });
  check({ ...base, kernelHeight: 2, kernelWidth: 2, strideHeight: 3, strideWidth: 3 });
  check({ ...base, padTop: 5, dilationHeight: 2 }, { forward: { bias: "row" } });
});

Deno.test("conv2d kernels cut many rows into blocks", () => {
  const wide = { batch: 32, inputHeight: 17, inputWidth: 20, inputChannels: 2, outputChannels: 3 };
  check({ ...wide, kernelHeight: 5, kernelWidth: 5, ...padded(2) });
  check({ ...wide, kernelHeight: 3, kernelWidth: 3, strideHeight: 2 });
});

Deno.test("conv2d kernels put zeros around few channels, and say so by their scratch", () => {
  const few = { ...base, batch: 16, inputHeight: 20, inputWidth: 18, inputChannels: 2 };
  const shapes = [
    { ...few, ...padded(1) },
    { ...few, kernelHeight: 5, kernelWidth: 4, ...padded(2) },
    { ...few, strideHeight: 2, strideWidth: 3, padTop: 1, padRight: 2 },
    { ...few, dilationHeight: 2, padTop: 1, padBottom: 3 },
    { ...few, padLeft: 2, kernelHeight: 1 },
  ];
  for (const shape of shapes) {
    check(shape, { forward: { bias: "row", activation: "relu" }, input: { mask: true } });
    const module = new ModuleBuilder({ arithmetic: "fused" }).withWorkbench(
      64,
      WORKBENCH_BYTES,
      true,
    );
    const { scratchBytes } = conv2dForward(module, { ...shape, byPanels: true });
    assert.ok(scratchBytes > few.inputChannels * few.inputHeight * few.inputWidth * few.batch * 4);
  }
});

Deno.test("conv2d kernels cut many pixels of 1 x 1 kernels into blocks", () => {
  const wide = { batch: 32, inputHeight: 5, inputWidth: 15, inputChannels: 49, outputChannels: 45 };
  check({ ...wide, kernelHeight: 1, kernelWidth: 1 });
  check({ ...wide, kernelHeight: 1, kernelWidth: 1, strideHeight: 2 });
  check({ ...wide, inputWidth: 38, kernelHeight: 1, kernelWidth: 1, strideWidth: 2, padLeft: 1 });
});

Deno.test("conv2d kernels take many channels of 1 x 1 kernels in groups", () => {
  const deep = { batch: 8, inputHeight: 3, inputWidth: 2, inputChannels: 800, outputChannels: 47 };
  const shape = { ...deep, kernelHeight: 1, kernelWidth: 1 };
  check(shape);
  check({ ...shape, strideHeight: 2 }, { weights: { accumulate: true, scale: "operand" } });
});

Deno.test("conv2d kernels go by tiles where that pays, and say so by their scratch", () => {
  const wide = { ...base, inputChannels: 16, outputChannels: 18, inputHeight: 9, ...padded(1) };
  check(wide);
  check({ ...wide, batch: 36 }, {
    forward: { bias: "row", activation: "relu" },
    input: { mask: true },
    weights: { accumulate: true, scale: "operand" },
  });
  const module = new ModuleBuilder({ arithmetic: "portable" });
  assert.ok(conv2dForward(module, wide).scratchBytes > 0);
  assert.equal(conv2dForward(module, base).scratchBytes, 0);
});

Deno.test("conv2d kernels apply their epilogues", () => {
  for (const kernel of [1, 3]) {
    const shape = { ...base, kernelHeight: kernel, kernelWidth: kernel };
    check(shape, {
      forward: { bias: "row", activation: "relu" },
      input: { mask: true },
      weights: { accumulate: true, scale: -0.01 },
    });
    check(shape, {
      forward: { bias: "row", mask: true, scale: "operand" },
      input: { accumulate: true, scale: "operand" },
      weights: { accumulate: true, scale: "operand" },
    });
  }
});

Deno.test("conv2d kernels agree with the plain sums on random shapes", () => {
  const small = (max: number, min = 1) => fc.integer({ min, max });
  const shapes = fc.record({
    batch: fc.constantFrom(4, 8, 12, 16),
    ...{ inputHeight: small(9), inputWidth: small(9), inputChannels: small(7) },
    ...{ outputChannels: small(8), kernelHeight: small(5), kernelWidth: small(5) },
    ...{ strideHeight: small(3), strideWidth: small(3) },
    ...{ dilationHeight: small(2), dilationWidth: small(2) },
    ...{ padTop: small(3, 0), padBottom: small(3, 0), padLeft: small(3, 0), padRight: small(3, 0) },
  });
  const possible = shapes.filter((shape) => {
    try {
      conv2dOutput(shape);
      return true;
    } catch {
      return false;
    }
  });
  fc.assert(fc.property(possible, (shape) => check(shape)), { numRuns: 60 });
});
