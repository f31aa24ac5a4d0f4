/**
 * Convolution, y[co][oy][ox] = sum over ky, kx, ci of x[ci][..][..] * w[ky][kx][ci][co], with bias
 * and activation in its epilogue. FLOP and register tile: `conv2d_gather.ts`.
 */
import { conv2dAxes, type Conv2dShape } from "./conv2d_shape.ts";
import { gatherConvolution } from "./conv2d_gather.ts";
import { forwardTaps } from "./conv_taps.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Epilogue } from "./epilogue.ts";
import type { Kernel } from "./kernel.ts";
import { winogradForward, winogradPays } from "./winograd_convolution.ts";

/**
 * Operands `x`, `w`, `y`, then those of the epilogue (`bias: "row"` is one float a channel), then
 * `scratch` if `scratchBytes` is not 0. Wide 3 x 3 kernels go by tiles: `winograd_convolution.ts`.
 */
export function conv2dForward(
  module: ModuleBuilder,
  shape: Conv2dShape,
  epilogue: Epilogue = {},
): Kernel {
  if (winogradPays(shape)) return winogradForward(module, shape, epilogue);
  const { batch, inputChannels, outputChannels, kernelWidth } = shape;
  const name = "conv2d forward";
  const { rows, columns } = conv2dAxes(shape);
  return gatherConvolution(module, {
    batch,
    batchStride: shape.batchStride ?? batch,
    source: { channels: inputChannels, height: rows.input, width: columns.input },
    result: { channels: outputChannels, height: rows.output, width: columns.output },
    rows: forwardTaps(rows),
    columns: forwardTaps(columns),
    weights: {
      row: kernelWidth * inputChannels * outputChannels,
      column: inputChannels * outputChannels,
      source: outputChannels,
      result: 1,
    },
    epilogue,
    byPanels: shape.byPanels,
  }, { name, sourceName: "x", resultName: "y" });
}
