/**
 * Gradient of a convolution for its input, dx[ci][iy][ix] = sum over ky, kx, co of
 * dy[co][oy][ox] * w[ky][kx][ci][co], gathered with exact bounds so that nothing is scattered or
 * cleared first. FLOP and register tile: `conv2d_gather.ts`.
 */
import { conv2dAxes, type Conv2dShape } from "./conv2d_shape.ts";
import { scatterInputGradient, scatterPays } from "./conv2d_scatter.ts";
import { gatherConvolution } from "./conv2d_gather.ts";
import { gradientTaps } from "./conv_taps.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Epilogue } from "./epilogue.ts";
import type { Kernel } from "./kernel.ts";
import { winogradInputGradient, winogradPays } from "./winograd_convolution.ts";

/**
 * Operands `dy`, `w`, `dx`, then those of the epilogue (`mask` for the relu that made x), then
 * `scratch` if `scratchBytes` is not 0.
 */
export function conv2dInputGradient(
  module: ModuleBuilder,
  shape: Conv2dShape,
  epilogue: Epilogue = {},
): Kernel {
  if (winogradPays(shape)) return winogradInputGradient(module, shape, epilogue);
  if (scatterPays(module, shape, epilogue)) return scatterInputGradient(module, shape, epilogue);
  const { batch, inputChannels, outputChannels, kernelWidth } = shape;
  const name = "conv2d input gradient";
  const { rows, columns } = conv2dAxes(shape);
  return gatherConvolution(module, {
    batch,
    batchStride: shape.batchStride ?? batch,
    source: { channels: outputChannels, height: rows.output, width: columns.output },
    result: { channels: inputChannels, height: rows.input, width: columns.input },
    rows: gradientTaps(rows),
    columns: gradientTaps(columns),
    weights: {
      row: kernelWidth * inputChannels * outputChannels,
      column: inputChannels * outputChannels,
      source: 1,
      result: outputChannels,
    },
    epilogue,
    byPanels: shape.byPanels,
  }, { name, sourceName: "dy", resultName: "dx" });
}
