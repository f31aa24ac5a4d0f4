/** The kernels of convolutions and their gradients, plain and depthwise. */
import {
  conv2dForward,
  conv2dInputGradient,
  type Conv2dShape,
  conv2dWeightGradient,
  depthwiseForward,
  depthwiseInputGradient,
  depthwiseWeightGradient,
  type Kernel,
  type ModuleBuilder,
  type SumEpilogue,
  turnedWeightGradient,
  turningPays,
} from "../../kernels/mod.ts";
import type { Operation, Value } from "./graph.ts";
import {
  blocksOf,
  epilogueOf,
  type KernelUse,
  type Operand,
  operandsBy,
  type OutputRange,
  RESULT,
  type Store,
  sumEpilogue,
} from "./kernel_use.ts";
import { convShape } from "./window_shapes.ts";

type WeightGradient = (
  module: ModuleBuilder,
  shape: Conv2dShape,
  epilogue: SumEpilogue,
  part: number,
) => Kernel;

/** Templates of one kind of convolution. */
export interface ConvolutionTemplates {
  readonly forward: typeof conv2dForward;
  readonly inputGradient: typeof conv2dInputGradient;
  readonly weightGradient: WeightGradient;
}

export const CONVOLUTIONS: ConvolutionTemplates = {
  forward: conv2dForward,
  inputGradient: conv2dInputGradient,
  weightGradient: conv2dWeightGradient,
};
export const DEPTHWISE: ConvolutionTemplates = {
  forward: depthwiseForward,
  inputGradient: depthwiseInputGradient,
  weightGradient: depthwiseWeightGradient,
};

/** The kernel of a convolution or of one of its gradients. */
export function convolution(
  module: ModuleBuilder,
  { inputs }: Value,
  { part, shape, finish }: Operation & { readonly kind: "conv2d" | "depthwise" },
  templates: ConvolutionTemplates,
  lanes: number,
  store: Store,
  count: number,
  outputs?: OutputRange,
  blocks = 1,
): KernelUse {
  const [input, output] = inputs.map((value) => blocksOf(value, lanes, blocks).stride);
  const extents = {
    ...convShape(shape, lanes, count),
    ...(blocks > 1 ? { blocks: { count: blocks, input: input!, output: output! } } : {}),
  };
  const turns = part === "weightGradient" && templates === CONVOLUTIONS &&
    turningPays(module, extents);
  const channels = turns ? undefined : outputs;
  const { first, count: own } = channels ?? { first: 0, count: shape.outputChannels };
  const kernel = turns
    ? turnedWeightGradient(module, extents, sumEpilogue(store), outputs)
    : part === "weightGradient"
    ? templates.weightGradient(module, extents, sumEpilogue(store), own)
    : templates[part](module, extents, epilogueOf(finish));
  const names: Record<string, Operand> = {
    forward: { x: { of: 0 }, w: { of: 1 }, y: RESULT },
    inputGradient: { dy: { of: 0 }, w: { of: 1 }, dx: RESULT },
    weightGradient: {
      x: { of: 0 },
      dy: { of: 1, offset: first * lanes / blocks * 4 },
      dw: { ...RESULT, offset: first * 4 },
    },
  }[part] as Record<string, Operand>;
  return { kernel, operands: operandsBy(kernel, finish, names) };
}
