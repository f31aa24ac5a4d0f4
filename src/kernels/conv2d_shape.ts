/**
 * Extents of a convolution. Activations are [height][width][channels][batch]; weights are
 * [kernelHeight][kernelWidth][inputChannels][outputChannels], as tfjs keeps them.
 */

export interface Conv2dShape {
  /** A multiple of 4; a multiple of 8 is faster. */
  readonly batch: number;
  /**
   * Floats from one channel to the next, for some samples of a larger batch: for pooling and for
   * convolutions that `conv2d_gather.ts` computes. @default batch
   */
  readonly batchStride?: number;
  /** Whether to go by panels where the module has a workbench. @default if it is large */
  readonly byPanels?: boolean;
  /** Blocks that the batch lies in, for `conv2d_weight_gradient.ts`. @default one */
  readonly blocks?: BatchBlocks;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly inputChannels: number;
  readonly outputChannels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  /** @default 1 */
  readonly strideHeight?: number;
  /** @default 1 */
  readonly strideWidth?: number;
  /** @default 1 */
  readonly dilationHeight?: number;
  /** @default 1 */
  readonly dilationWidth?: number;
  /** Rows and columns of zeros around the input, never stored. @default 0 */
  readonly padTop?: number;
  /** @default 0 */
  readonly padBottom?: number;
  /** @default 0 */
  readonly padLeft?: number;
  /** @default 0 */
  readonly padRight?: number;
}

/** A batch in blocks of equal size, [block][height][width][channels][samples of the block]. */
export interface BatchBlocks {
  readonly count: number;
  /** Floats from one block of the inputs to the next. */
  readonly input: number;
  /** Floats from one block of the outputs' gradient to the next. */
  readonly output: number;
}

/** One axis of a convolution. */
export interface ConvAxis {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Zeros before the first input. */
  readonly pad: number;
}

/** Height and width as axes. Throws RangeError if an extent is below 1 or batch is no multiple of 4. */
export function conv2dAxes(
  shape: Conv2dShape,
): { readonly rows: ConvAxis; readonly columns: ConvAxis } {
  if (shape.batch % 4 !== 0) {
    throw new RangeError(`Cannot convolve a batch of ${shape.batch}: pad it to a multiple of 4`);
  }
  return {
    rows: axis(
      shape.inputHeight,
      shape.kernelHeight,
      shape.strideHeight,
      shape.dilationHeight,
      shape.padTop,
      shape.padBottom,
    ),
    columns: axis(
      shape.inputWidth,
      shape.kernelWidth,
      shape.strideWidth,
      shape.dilationWidth,
      shape.padLeft,
      shape.padRight,
    ),
  };
}

/** Height and width of the output. */
export function conv2dOutput(
  shape: Conv2dShape,
): { readonly height: number; readonly width: number } {
  const { rows, columns } = conv2dAxes(shape);
  return { height: rows.output, width: columns.output };
}

/** The outputs low .. low + count - 1 whose input for one tap exists. */
export function metOutputs(
  { input, output, stride, dilation, pad }: ConvAxis,
  tap: number,
): { readonly low: number; readonly count: number } {
  const shift = tap * dilation - pad;
  const low = Math.max(0, Math.ceil(-shift / stride));
  const end = Math.min(output, Math.floor((input - 1 - shift) / stride) + 1);
  return { low, count: Math.max(0, end - low) };
}

function axis(
  input: number,
  kernel: number,
  stride = 1,
  dilation = 1,
  before = 0,
  after = 0,
): ConvAxis {
  const output = Math.floor((input + before + after - (kernel - 1) * dilation - 1) / stride) + 1;
  if (output < 1) {
    throw new RangeError(
      `Cannot convolve ${input} inputs with a kernel of ${kernel} as nothing is left: pad the input`,
    );
  }
  return { input, output, kernel, stride, dilation, pad: before };
}
