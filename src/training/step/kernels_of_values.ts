/** Which kernel computes a value, and with which operands. */
import {
  cutsWeightGradient,
  map,
  type ModuleBuilder,
  oneHot,
  poolForward,
  poolGradient,
  reduce,
  sumRows,
  takeRows,
} from "../../kernels/mod.ts";
import { blockBytes } from "./blocks.ts";
import { convolution, CONVOLUTIONS, DEPTHWISE } from "./convolution_kernels.ts";
import { copies } from "./copy_kernels.ts";
import { dense } from "./dense_kernels.ts";
import { sizeOf, type Value } from "./graph.ts";
import { joinedBytes, joinedUses } from "./joined_blocks.ts";
import {
  blocksOf,
  type KernelUse,
  type OutputRange,
  type Part,
  RESULT,
  type Store,
} from "./kernel_use.ts";
import { convShape, poolShape } from "./window_shapes.ts";

/**
 * The calls that compute a value, in order.
 *
 * @param part samples of a value that `canSplit`, or of the `outputsOf` a value
 */
export function kernelsOf(
  module: ModuleBuilder,
  value: Value,
  lanes: number,
  store: Store,
  { samples = { first: 0, count: lanes }, outputs, blocks = 1 }: Part = {},
): KernelUse[] {
  if (blocks === 1) {
    const uses = usesOf(module, value, lanes, store, samples.count, outputs);
    return samples.first === 0 ? uses : shifted(uses, value, () => samples.first * 4);
  }
  if (value.batched) {
    const own = lanes / blocks;
    const block = samples.first / own;
    const uses = usesOf(module, value, own, store, own, undefined);
    return shifted(uses, value, ({ dims }) => block * blockBytes(sizeOf(dims), lanes, blocks));
  }
  if (!mustJoin(value, lanes)) return usesOf(module, value, lanes, store, lanes, outputs, blocks);
  return joinedUses(module, value, lanes, blocks, usesOf(module, value, lanes, store, lanes));
}

/** Whether a value is a sum over the batch whose kernel takes no blocks, so that they are joined. */
function mustJoin({ operation, batched }: Value, lanes: number): boolean {
  if (batched) return false;
  switch (operation.kind) {
    case "conv2d":
      return !cutsWeightGradient(convShape(operation.shape, lanes));
    case "depthwise":
    case "segmentSum":
      return true;
    default:
      return false;
  }
}

/** The same calls of other samples, which lie so many bytes further in each batched value. */
function shifted(
  uses: readonly KernelUse[],
  value: Value,
  bytesTo: (value: Value) => number,
): KernelUse[] {
  return uses.map(({ kernel, operands }) => ({
    kernel,
    operands: operands.map((operand) => {
      const of = operand.of === "result" ? value : value.inputs[operand.of as number];
      return of?.batched === true
        ? { ...operand, offset: (operand.offset ?? 0) + bytesTo(of) }
        : operand;
    }),
  }));
}

function usesOf(
  module: ModuleBuilder,
  value: Value,
  lanes: number,
  store: Store,
  count: number,
  outputs?: OutputRange,
  blocks = 1,
): KernelUse[] {
  const { operation, inputs, dims, batched } = value;
  switch (operation.kind) {
    case "map": {
      const sizes = batched ? [...dims, count] : dims;
      const present = inputs.map((input) => {
        const own = dims.map((_, axis) => input.dims[axis] !== 1 || dims[axis] === 1);
        return batched ? [...own, input.batched] : own;
      });
      const { expression } = operation;
      const runStride = batched ? lanes : sizes.at(-1) ?? 1;
      const kernel = map(module, { sizes, present, expression, runStride });
      return [{ kernel, operands: [...inputs.map((_, of) => ({ of })), RESULT] }];
    }
    case "reduce": {
      const input = inputs[0]!;
      const kernel = reduce(module, {
        take: operation.take,
        sizes: input.dims,
        reduced: input.dims.map((_, axis) => operation.axes.includes(axis)),
        ...(input.batched ? { batch: count, batchStride: lanes / blocks } : { batch: null }),
        ...(blocks > 1 && input.batched ? { blocks: blocksOf(input, lanes, blocks) } : {}),
        overBatch: operation.batch,
      });
      return [{ kernel, operands: [{ of: 0 }, RESULT] }];
    }
    case "dense":
      return dense(module, value, operation, lanes, store, count, outputs, blocks);
    case "conv2d":
      return [
        convolution(module, value, operation, CONVOLUTIONS, lanes, store, count, outputs, blocks),
      ];
    case "depthwise":
      return [convolution(module, value, operation, DEPTHWISE, lanes, store, lanes)];
    case "pool": {
      const kernel = poolForward(module, poolShape(operation, lanes, count));
      return [{ kernel, operands: [{ of: 0 }, RESULT] }];
    }
    case "poolGradient": {
      const kernel = poolGradient(module, poolShape(operation, lanes, count), operation.positive);
      return [{ kernel, operands: [...inputs.map((_, of) => ({ of })), RESULT] }];
    }
    case "oneHot": {
      const numbers = sizeOf(inputs[0]!.dims);
      const kernel = oneHot(module, {
        ...{ numbers, depth: operation.depth, batch: count, batchStride: lanes },
      });
      return [{ kernel, operands: [{ of: 0 }, RESULT] }];
    }
    case "gather": {
      const [table, indices] = inputs as [Value, Value];
      const kernel = takeRows(module, rowsShape(table.dims, indices, lanes));
      return [{ kernel, operands: [{ of: 0 }, { of: 1 }, RESULT] }];
    }
    case "segmentSum": {
      const kernel = sumRows(module, rowsShape(dims, inputs[1]!, lanes));
      return [{ kernel, operands: [{ of: 0 }, { of: 1 }, RESULT] }];
    }
    default:
      return copies(module, value, lanes);
  }
}

function rowsShape([table, width]: readonly number[], indices: Value, batch: number) {
  return { table: table!, width: width!, numbers: sizeOf(indices.dims), batch };
}

/** Bytes of the second scratch of a value. */
export function secondScratchBytes(value: Value, lanes: number, blocks = 1): number {
  const { operation, inputs } = value;
  if (blocks > 1 && mustJoin(value, lanes)) return joinedBytes(value, lanes);
  return operation.kind === "dense" && operation.part === "weightGradient"
    ? inputs[1]!.dims.at(-1)! * lanes * 4
    : 0;
}
