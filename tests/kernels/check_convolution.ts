/** Compares the three kernels of a convolution with their plain twins, and panels with plain loops. */
import assert from "node:assert/strict";
import {
  conv2dOutput,
  type Conv2dShape,
  type Epilogue,
  type Kernel,
  type ModuleBuilder,
  type SumEpilogue,
} from "../../src/kernels/mod.ts";
import type { EpilogueInputs } from "../../src/kernels/reference/mod.ts";
import { arithmetics, assertClose, noise, runKernel } from "./run_kernel.ts";

/** What each kernel does with its sums. */
export interface ConvolutionEpilogues {
  readonly forward?: Epilogue;
  readonly input?: Epilogue;
  readonly weights?: SumEpilogue;
}

type Template<E> = (module: ModuleBuilder, shape: Conv2dShape, epilogue?: E) => Kernel;
type Twin<E> = (
  shape: Conv2dShape,
  epilogue: E,
  a: Float32Array,
  b: Float32Array,
  result: Float64Array,
  inputs?: EpilogueInputs,
) => void;

/** Checks all three kernels of one convolution with `weights` floats of weights. */
export function checkConvolution(
  kernels: {
    readonly forward: Template<Epilogue>;
    readonly inputGradient: Template<Epilogue>;
    readonly weightGradient: Template<SumEpilogue>;
  },
  reference: {
    readonly forward: Twin<Epilogue>;
    readonly inputGradient: Twin<Epilogue>;
    readonly weightGradient: Twin<SumEpilogue>;
  },
  shape: Conv2dShape,
  weightCount: number,
  { forward = {}, input = {}, weights = {} }: ConvolutionEpilogues = {},
): void {
  const { batch, inputHeight, inputWidth, inputChannels, outputChannels } = shape;
  const { height, width } = conv2dOutput(shape);
  const x = noise(inputChannels * inputHeight * inputWidth * batch, 1);
  const w = noise(weightCount, 2);
  const y = noise(outputChannels * height * width * batch, 3);
  const bias = noise(outputChannels + inputChannels, 4);
  const factor = -0.25, scale = Float32Array.of(factor);
  const yMask = noise(y.length, 6), xMask = noise(x.length, 7);
  const forwarded = Float64Array.from(y), dx = Float64Array.from(x), dw = Float64Array.from(w);
  reference.forward(shape, forward, x, w, forwarded, { bias, mask: yMask, scale: factor });
  reference.inputGradient(shape, input, y, w, dx, { bias, mask: xMask, scale: factor });
  reference.weightGradient(shape, weights, x, y, dw, { scale: factor });
  for (const arithmetic of arithmetics) {
    const first = runKernel(
      arithmetic,
      (module) => kernels.forward(module, shape, forward),
      { x, w, y, bias, mask: yMask, scale },
    );
    assertClose(first.y, forwarded);
    const byPanels = { ...shape, byPanels: true };
    const firstByPanels = runKernel(
      arithmetic,
      (module) => kernels.forward(module, byPanels, forward),
      { x, w, y, bias, mask: yMask, scale },
      "joined",
    );
    assert.deepEqual(firstByPanels.y, first.y);
    const second = runKernel(
      arithmetic,
      (module) => kernels.inputGradient(module, shape, input),
      { dy: y, w, dx: x, bias, mask: xMask, scale },
    );
    assertClose(second.dx, dx);
    const secondByPanels = runKernel(
      arithmetic,
      (module) => kernels.inputGradient(module, byPanels, input),
      { dy: y, w, dx: x, bias, mask: xMask, scale },
      "joined",
    );
    assert.deepEqual(secondByPanels.dx, second.dx);
    const third = runKernel(
      arithmetic,
      (module) => kernels.weightGradient(module, shape, weights),
      { x, dy: y, dw: w, scale },
    );
    assertClose(third.dw, dw, 2e-5);
    const thirdByPanels = runKernel(
      arithmetic,
      (module) => kernels.weightGradient(module, byPanels, weights),
      { x, dy: y, dw: w, scale },
      "joined",
    );
    assertClose(thirdByPanels.dw, dw, 2e-5);
    const bySinglePanels = runKernel(
      arithmetic,
      (module) => kernels.weightGradient(module, byPanels, weights),
      { x, dy: y, dw: w, scale },
      "single",
    );
    assert.deepEqual(bySinglePanels.dw, thirdByPanels.dw);
    if (arithmetic === "portable") assert.deepEqual(thirdByPanels.dw, third.dw);
  }
}
