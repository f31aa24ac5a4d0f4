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

/** Calls `visit` for each product of a convolution of each channel by itself. */
function eachDepthwiseProduct(shape: Conv2dShape, visit: Visit): void {
  const { inputChannels, outputChannels, batch } = shape;
  const multiplier = outputChannels / inputChannels;
  // One channel at a time is a plain convolution whose arrays have gaps.
  const single = { ...shape, inputChannels: 1, outputChannels: 1 };
  for (let co = 0; co < outputChannels; co++) {
    const ci = Math.floor(co / multiplier);
    eachProduct(single, (x, w, y) => {
      const place = (at: number, channels: number, channel: number) =>
        (Math.floor(at / batch) * channels + channel) * batch + at % batch;
      visit(place(x, inputChannels, ci), w * outputChannels + co, place(y, outputChannels, co));
    });
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

type Products = (shape: Conv2dShape, visit: Visit) => void;

/** Output sums of a convolution whose products are given. */
function forward(products: Products) {
  return (
    shape: Conv2dShape,
    epilogue: Epilogue,
    x: Floats,
    w: Floats,
    y: Floats,
    inputs: EpilogueInputs = {},
  ): void => {
    const sums = new Float64Array(y.length);
    products(shape, (xAt, wAt, yAt) => sums[yAt]! += x[xAt]! * w[wAt]!);
    finish(sums, epilogue, y, inputs, shape.batch, shape.outputChannels);
  };
}

function inputGradient(products: Products) {
  return (
    shape: Conv2dShape,
    epilogue: Epilogue,
    dy: Floats,
    w: Floats,
    dx: Floats,
    inputs: EpilogueInputs = {},
  ): void => {
    const sums = new Float64Array(dx.length);
    products(shape, (xAt, wAt, yAt) => sums[xAt]! += dy[yAt]! * w[wAt]!);
    finish(sums, epilogue, dx, inputs, shape.batch, shape.inputChannels);
  };
}

function weightGradient(products: Products) {
  return (
    shape: Conv2dShape,
    epilogue: SumEpilogue,
    x: Floats,
    dy: Floats,
    dw: Floats,
    inputs: EpilogueInputs = {},
  ): void => {
    const sums = new Float64Array(dw.length);
    products(shape, (xAt, wAt, yAt) => sums[wAt]! += x[xAt]! * dy[yAt]!);
    finish(sums, epilogue, dw, inputs, 1, 1);
  };
}

/** As `conv2dForward`; changes `y`. */
export const referenceConv2dForward = forward(eachProduct);
/** As `conv2dInputGradient`; changes `dx`. */
export const referenceConv2dInputGradient = inputGradient(eachProduct);
/** As `conv2dWeightGradient`; changes `dw`. */
export const referenceConv2dWeightGradient = weightGradient(eachProduct);
/** As `depthwiseForward`; changes `y`. */
export const referenceDepthwiseForward = forward(eachDepthwiseProduct);
/** As `depthwiseInputGradient`; changes `dx`. */
export const referenceDepthwiseInputGradient = inputGradient(eachDepthwiseProduct);
/** As `depthwiseWeightGradient`; changes `dw`. */
export const referenceDepthwiseWeightGradient = weightGradient(eachDepthwiseProduct);
