/** Which values can be computed in parts, and about how long a value takes. */
import {
  coversInput,
  cutsWeightGradient,
  type ModuleBuilder,
  turningPays,
  winogradPays,
} from "../../kernels/mod.ts";
import { type Part, sizeOf, type Value, type WindowShape } from "./graph.ts";
import { convShape, poolShape } from "./window_shapes.ts";

/** Whether the kernel of a value can add to its result, and so update a weight by itself. */
export function canUpdate({ operation, inputs }: Value): boolean {
  return "finish" in operation && operation.part === "weightGradient" &&
    (operation.kind !== "dense" || sizeOf(inputs[0]!.dims.slice(0, -1)) >= 1);
}

/**
 * Whether samples of a value can be computed apart from the others: `kernelsOf` takes ranges
 * of them, and each has the bits that it has when all are computed at once.
 */
export function canSplit({ operation, batched }: Value, lanes: number, blocks = 1): boolean {
  if (!batched) return false;
  // A block is computed as if it were a batch.
  if (blocks > 1) return true;
  switch (operation.kind) {
    case "map":
      return true;
    case "reduce":
      return !operation.batch;
    case "dense":
      return operation.part !== "weightGradient";
    case "conv2d":
      return operation.part !== "weightGradient" &&
        !winogradPays(convShape(operation.shape, lanes));
    case "pool":
    case "oneHot":
      return true;
    case "poolGradient":
      return coversInput(poolShape(operation, lanes));
    default:
      return false;
  }
}

/**
 * How many parts a sum over the batch has that can be computed apart: `kernelsOf` takes ranges
 * of them, and each has the bits that it has among all. 1 if it has none.
 */
export function outputsOf(
  module: ModuleBuilder,
  { operation, inputs }: Value,
  lanes: number,
): number {
  if (!("finish" in operation) || operation.part !== "weightGradient") return 1;
  switch (operation.kind) {
    case "dense":
      return inputs[0]!.dims.at(-1)!;
    case "conv2d": {
      const shape = convShape(operation.shape, lanes);
      if (!cutsWeightGradient(shape)) return 1;
      return turningPays(module, shape)
        ? shape.kernelWidth * shape.inputChannels
        : shape.outputChannels;
    }
    default:
      return 1;
  }
}

/** FLOP in the time that it takes to read a number. */
const READ_FLOPS = 8;
/** What a convolution by tiles costs of the plain sum, and a weight gradient by panels. */
const TILED_COST = 0.5, PANEL_COST = 0.7;
/** What a dense layer costs of a convolution with as many products. */
const DENSE_COST = 1.25;

/** About how long a value takes that one thread computes, in FLOP of a convolution. */
export function costOf(
  module: ModuleBuilder,
  { operation, inputs, dims }: Value,
  lanes: number,
): number {
  const numbers = inputs.reduce(
    (sum, input) => sum + sizeOf(input.dims) * (input.batched ? lanes : 1),
    0,
  );
  const sums = operation.kind === "dense"
    ? sizeOf(inputs[0]!.dims.slice(0, -1)) * sizeOf(dims) * DENSE_COST
    : operation.kind === "depthwise"
    ? operation.shape.outputHeight * operation.shape.outputWidth * sizeOf(dims)
    : operation.kind === "conv2d"
    ? operation.shape.outputHeight * operation.shape.outputWidth * sizeOf(dims) *
      convCost(module, operation, lanes)
    : 0;
  return 2 * sums * lanes + READ_FLOPS * numbers;
}

/** What a convolution costs of the plain sum. */
function convCost(
  module: ModuleBuilder,
  { part, shape }: { readonly part: Part; readonly shape: WindowShape },
  lanes: number,
): number {
  const own = convShape(shape, lanes);
  if (winogradPays(own)) return TILED_COST;
  return part === "weightGradient" && turningPays(module, own) ? PANEL_COST : 1;
}
