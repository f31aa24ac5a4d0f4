import fc from "fast-check";
import {
  conv2dOutput,
  type Kernel,
  type ModuleBuilder,
  poolForward,
  poolGradient,
  type PoolShape,
} from "../../src/kernels/mod.ts";
import { referencePoolForward, referencePoolGradient } from "../../src/kernels/reference/mod.ts";
import { arithmetics, assertClose, noise, runKernel } from "./run_kernel.ts";

/** Noise rounded to quarters, so that many numbers of a window are equal. */
function coarse(length: number, seed: number): Float32Array {
  return noise(length, seed).map((x) => Math.round(x * 4) / 4);
}

function checkOne(shape: PoolShape): void {
  const { height, width } = conv2dOutput(shape);
  const channel = shape.inputChannels * shape.batch;
  const x = coarse(shape.inputHeight * shape.inputWidth * channel, 1);
  const dy = noise(height * width * channel, 2);
  const y = new Float64Array(dy.length), dx = new Float64Array(x.length);
  referencePoolForward(shape, x, y);
  const run = (template: (module: ModuleBuilder) => Kernel) =>
    arithmetics.map((arithmetic) =>
      // What a kernel does not set would show.
      runKernel(arithmetic, template, {
        ...{ x, dy, y: noise(dy.length, 3), dx: noise(x.length, 4) },
      })
    );
  for (const after of run((module) => poolForward(module, shape))) assertClose(after.y, y, 1e-6);
  for (const positive of [false, true]) {
    referencePoolGradient(shape, positive, dy, x, dx);
    for (const after of run((module) => poolGradient(module, shape, positive))) {
      assertClose(after.dx, dx, 1e-6);
    }
    if (shape.take === "average") break;
  }
}

function check(shape: Omit<PoolShape, "take" | "outputChannels">): void {
  for (const take of ["max", "average"] as const) {
    checkOne({ ...shape, outputChannels: shape.inputChannels, take });
  }
}

const base = {
  ...{ batch: 8, inputHeight: 7, inputWidth: 9, inputChannels: 3 },
  ...{ kernelHeight: 2, kernelWidth: 2, strideHeight: 2, strideWidth: 2 },
};

Deno.test("pool kernels agree with plain windows for kernels and strides of each size", () => {
  for (const kernel of [1, 2, 3, 5]) {
    for (const stride of [1, 2, 3]) {
      const shape = { ...base, kernelHeight: kernel, kernelWidth: kernel };
      check({ ...shape, strideHeight: stride, strideWidth: stride });
    }
  }
  check({ ...base, inputHeight: 8, inputWidth: 8 });
  check({ ...base, inputHeight: 1, inputWidth: 1, kernelHeight: 1, kernelWidth: 1 });
});

Deno.test("pool kernels agree with plain windows where padding surrounds the input", () => {
  check({ ...base, padBottom: 1, padRight: 1 });
  check({ ...base, inputHeight: 6, inputWidth: 6, padTop: 1, padLeft: 1 });
  check({ ...base, kernelHeight: 3, kernelWidth: 3, padTop: 1, padLeft: 1, padBottom: 1 });
  check({ ...base, strideHeight: 1, strideWidth: 1, padRight: 1 });
});

Deno.test("pool kernels give 0 where a window lies in the padding alone", () => {
  check({ ...base, padTop: 2, padRight: 3 });
});

Deno.test("pool kernels agree with plain windows whose inputs are spread", () => {
  check({ ...base, dilationHeight: 2, dilationWidth: 2 });
  check({ ...base, dilationHeight: 3, dilationWidth: 2, strideHeight: 1, padTop: 1, padBottom: 2 });
});

Deno.test("pool kernels agree with plain windows for batches from 4 to 68", () => {
  for (const batch of [4, 12, 32, 68]) check({ ...base, batch });
});

Deno.test("pool kernels agree with plain windows on random shapes", () => {
  const small = (max: number, min = 1) => fc.integer({ min, max });
  const shapes = fc.record({
    batch: fc.constantFrom(4, 8, 12),
    ...{ inputHeight: small(9), inputWidth: small(9), inputChannels: small(3) },
    ...{ kernelHeight: small(4), kernelWidth: small(4) },
    ...{ strideHeight: small(4), strideWidth: small(4) },
    ...{ dilationHeight: small(2), dilationWidth: small(2) },
    ...{ padTop: small(2, 0), padBottom: small(2, 0), padLeft: small(2, 0), padRight: small(2, 0) },
  });
  const fits = (input: number, kernel: number, dilation: number) =>
    (kernel - 1) * dilation + 1 <= input;
  const possible = shapes.filter((s) =>
    fits(s.inputHeight, s.kernelHeight, s.dilationHeight) &&
    fits(s.inputWidth, s.kernelWidth, s.dilationWidth)
  );
  fc.assert(fc.property(possible, check), { numRuns: 60 });
});
