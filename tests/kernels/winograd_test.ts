import assert from "node:assert/strict";
import fc from "fast-check";
import { conv2dOutput, type Conv2dShape } from "../../src/kernels/mod.ts";
import {
  referenceConv2dForward,
  referenceConv2dInputGradient,
  referenceConv2dWeightGradient,
} from "../../src/kernels/reference/mod.ts";
import {
  winogradForward,
  winogradInputGradient,
  winogradPays,
} from "../../src/kernels/winograd_convolution.ts";
import { winogradWeightGradient } from "../../src/kernels/winograd_weight_gradient.ts";
import { checkConvolution, type ConvolutionEpilogues } from "./check_convolution.ts";

const kernels = {
  forward: winogradForward,
  inputGradient: winogradInputGradient,
  weightGradient: winogradWeightGradient,
};
const reference = {
  forward: referenceConv2dForward,
  inputGradient: referenceConv2dInputGradient,
  weightGradient: referenceConv2dWeightGradient,
};

type Shape = Omit<Conv2dShape, "kernelHeight" | "kernelWidth">;

function check(shape: Shape, epilogues?: ConvolutionEpilogues): void {
  const whole = { ...shape, kernelHeight: 3, kernelWidth: 3 };
  const weights = 9 * shape.inputChannels * shape.outputChannels;
  checkConvolution(kernels, reference, whole, weights, epilogues);
}

const base = { batch: 8, inputHeight: 8, inputWidth: 12, inputChannels: 3, outputChannels: 5 };

function around(all: number): Partial<Conv2dShape> {
  return { padTop: all, padBottom: all, padLeft: all, padRight: all };
}

Deno.test("winograd kernels agree with the plain sums for sizes that fill no tile", () => {
  for (const inputHeight of [1, 2, 3, 4, 5, 9]) {
    for (const inputWidth of [1, 4, 6, 7, 17]) {
      check({ ...base, inputHeight, inputWidth, ...around(1) });
    }
  }
  check({ ...base, inputHeight: 3, inputWidth: 3 });
  check({ ...base, inputHeight: 6, inputWidth: 11 });
});

Deno.test("winograd kernels agree with the plain sums for any channels", () => {
  for (const inputChannels of [1, 2, 7]) {
    for (const outputChannels of [1, 4, 6, 13]) {
      check({ ...base, inputChannels, outputChannels, ...around(1) });
    }
  }
});

Deno.test("winograd kernels agree with the plain sums for any padding", () => {
  for (const pad of [0, 2, 3, 6]) check({ ...base, ...around(pad) });
  check({ ...base, padTop: 1, padRight: 2 });
  check({ ...base, padBottom: 5, padLeft: 1 }, { forward: { bias: "row" } });
});

Deno.test("winograd kernels agree with the plain sums for batches from 4 to 68", () => {
  for (const batch of [4, 12, 32, 36, 64, 68]) check({ ...base, batch, ...around(1) });
});

Deno.test("winograd kernels apply their epilogues", () => {
  check({ ...base, ...around(1) }, {
    forward: { bias: "row", activation: "relu" },
    input: { mask: true },
    weights: { accumulate: true, scale: -0.01 },
  });
  check({ ...base, batch: 36 }, {
    forward: { bias: "row", mask: true, scale: "operand" },
    input: { accumulate: true, scale: "operand" },
    weights: { accumulate: true, scale: "operand" },
  });
});

Deno.test("winograd kernels agree with the plain sums on random shapes", () => {
  const small = (max: number, min = 1) => fc.integer({ min, max });
  const shapes = fc.record({
    batch: fc.constantFrom(4, 8, 12, 36),
    ...{ inputHeight: small(14), inputWidth: small(14) },
    ...{ inputChannels: small(7), outputChannels: small(7) },
    ...{ padTop: small(3, 0), padBottom: small(3, 0), padLeft: small(3, 0), padRight: small(3, 0) },
  });
  const possible = shapes.filter((shape) => {
    try {
      conv2dOutput({ ...shape, kernelHeight: 3, kernelWidth: 3 });
      return true;
    } catch {
      return false;
    }
  });
  fc.assert(fc.property(possible, (shape) => check(shape)), { numRuns: 40 });
});

Deno.test("winogradPays() takes wide 3 x 3 convolutions without strides, and no others", () => {
  const wide = {
    ...{ batch: 32, inputHeight: 16, inputWidth: 16, inputChannels: 32, outputChannels: 64 },
    ...{ kernelHeight: 3, kernelWidth: 3, ...around(1) },
  };
  assert.equal(winogradPays(wide), true);
  assert.equal(winogradPays({ ...wide, inputChannels: 3 }), false);
  assert.equal(winogradPays({ ...wide, kernelHeight: 5 }), false);
  assert.equal(winogradPays({ ...wide, strideWidth: 2 }), false);
  assert.equal(winogradPays({ ...wide, dilationHeight: 2 }), false);
  assert.equal(winogradPays({ ...wide, inputHeight: 2, inputWidth: 2 }), false);
});
