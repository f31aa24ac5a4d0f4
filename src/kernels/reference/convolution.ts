/** Plain twins of the convolution kernels: [height][width][channels][batch], double precision. */
import { conv2dAxes, type Conv2dShape } from "../conv2d_shape.ts";
import type { Epilogue } from "../epilogue.ts";
import type { SumEpilogue } from "../lane_sums.ts";
import { type EpilogueInputs, referenceEpilogue } from "./matrix.ts";

type Floats = Float32Array | Float64Array;

/** One pair of an output and an input that a weight connects; indices of the three arrays. */
type Visit = (x: number, w: number, y: number) => void;

/** Calls `visit` for each product that the convolution sums. */
function eachProduct(shape: Conv2dShape, visit: Visit): void {
  const { batch, inputChannels, outputChannels, kernelHeight, kernelWidth } = shape;
  const { rows, columns } = conv2dAxes(shape);
  for (let co = 0; co < outputChannels; co++) {
    for (let oy = 0; oy < rows.output; oy++) {
      for (let ox = 0; ox < columns.output; ox++) {
        for (let ci = 0; ci < inputChannels; ci++) {
          for (let ky = 0; ky < kernelHeight; ky++) {
            const iy = oy * rows.stride - rows.pad + ky * rows.dilation;
            if (iy < 0 || iy >= rows.input) continue;
            for (let kx = 0; kx < kernelWidth; kx++) {
              const ix = ox * columns.stride - columns.pad + kx * columns.dilation;
              if (ix < 0 || ix >= columns.input) continue;
              const w = ((ky * kernelWidth + kx) * inputChannels + ci) * outputChannels + co;
              const x = ((iy * columns.input + ix) * inputChannels + ci) * batch;
              const y = ((oy * columns.output + ox) * outputChannels + co) * batch;
              for (let b = 0; b < batch; b++) visit(x + b, w, y + b);
            }
          }
        }
      }
    }
  }
}

/** Stores sums through an epilogue whose bias is one float a channel. */
function finish(
  sums: Float64Array,
  epilogue: Epilogue,
  out: Floats,
  inputs: EpilogueInputs,
  batch: number,
  channels: number,
): void {
  for (const [at, sum] of sums.entries()) {
    const place = { at, biasAt: Math.floor(at / batch) % channels, before: out[at]! };
    out[at] = referenceEpilogue(epilogue, sum, inputs, place);
  }
}

/** As `conv2dForward`; changes `y`. */
export function referenceConv2dForward(
  shape: Conv2dShape,
  epilogue: Epilogue,
  x: Floats,
  w: Floats,
  y: Floats,
  inputs: EpilogueInputs = {},
): void {
  const sums = new Float64Array(y.length);
  eachProduct(shape, (xAt, wAt, yAt) => sums[yAt]! += x[xAt]! * w[wAt]!);
  finish(sums, epilogue, y, inputs, shape.batch, shape.outputChannels);
}

/** As `conv2dInputGradient`; changes `dx`. */
export function referenceConv2dInputGradient(
  shape: Conv2dShape,
  epilogue: Epilogue,
  dy: Floats,
  w: Floats,
  dx: Floats,
  inputs: EpilogueInputs = {},
): void {
  const sums = new Float64Array(dx.length);
  eachProduct(shape, (xAt, wAt, yAt) => sums[xAt]! += dy[yAt]! * w[wAt]!);
  finish(sums, epilogue, dx, inputs, shape.batch, shape.inputChannels);
}

/** As `conv2dWeightGradient`; changes `dw`. */
export function referenceConv2dWeightGradient(
  shape: Conv2dShape,
  epilogue: SumEpilogue,
  x: Floats,
  dy: Floats,
  dw: Floats,
  inputs: EpilogueInputs = {},
): void {
  const sums = new Float64Array(dw.length);
  eachProduct(shape, (xAt, wAt, yAt) => sums[wAt]! += x[xAt]! * dy[yAt]!);
  finish(sums, epilogue, dw, inputs, 1, 1);
}
