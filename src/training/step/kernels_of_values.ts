/** Which kernel computes a value, and with which operands. */
import {
  conv2dForward,
  conv2dInputGradient,
  type Conv2dShape,
  conv2dWeightGradient,
  copy,
  coversInput,
  cutsWeightGradient,
  depthwiseForward,
  depthwiseInputGradient,
  depthwiseWeightGradient,
  type Epilogue,
  gemm,
  type Kernel,
  map,
  type ModuleBuilder,
  oneHot,
  packPays,
  poolForward,
  poolGradient,
  reduce,
  type SumEpilogue,
  sumRows,
  takeRows,
  transpose,
  winogradPays,
} from "../../kernels/mod.ts";
import { blockBytes } from "./blocks.ts";
import { joinedBytes, joinedUses } from "./joined_blocks.ts";
import { type Finish, type Operation, sizeOf, type Value, type WindowShape } from "./graph.ts";

/** Where an operand lies: at the start of a value, its result, or scratch, plus bytes. */
export type Operand =
  | { readonly of: number; readonly offset?: number }
  | { readonly of: "result" | "scratch" | "second scratch" | "factor"; readonly offset?: number };

/** One call of a kernel; operands in the order of its parameters. */
export interface KernelUse {
  readonly kernel: Kernel;
  readonly operands: readonly Operand[];
}

/** How a result is stored: as it is, or added to what is there after multiplication. */
export interface Store {
  /** Adds `factor` times the result to what is there: a weight's update. */
  readonly update: boolean;
}

/** Neighbouring samples of a batch; both numbers are multiples of 4. */
export interface LaneRange {
  readonly first: number;
  readonly count: number;
}

/** Neighbouring outputs of a value that {@link outputsOf} counts. */
export interface OutputRange {
  readonly first: number;
  readonly count: number;
}

/** What is computed of a value. @default all of it */
export interface Part {
  /** Of several blocks, the samples of one. */
  readonly samples?: LaneRange;
  readonly outputs?: OutputRange;
  /** In how many blocks a batch lies. @default {1} */
  readonly blocks?: number;
}

const RESULT = { of: "result" } as const;
const SCRATCH = { of: "scratch" } as const;

/** Whether the kernel of a value can add to its result, and so update a weight by itself. */
export function canUpdate({ operation, inputs }: Value): boolean {
  return "finish" in operation && operation.part === "weightGradient" &&
    (operation.kind !== "dense" || sizeOf(inputs[0]!.dims.slice(0, -1)) >= 1);
}

/**
 * Whether samples of a value can be computed apart from the others: {@link kernelsOf} takes ranges
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
 * How many parts a sum over the batch has that can be computed apart: {@link kernelsOf} takes ranges
 * of them, and each has the bits that it has among all. 1 if it has none.
 */
export function outputsOf({ operation, inputs }: Value, lanes: number): number {
  if (!("finish" in operation) || operation.part !== "weightGradient") return 1;
  switch (operation.kind) {
    case "dense":
      return inputs[0]!.dims.at(-1)!;
    case "conv2d":
      return cutsWeightGradient(convShape(operation.shape, lanes))
        ? operation.shape.outputChannels
        : 1;
    default:
      return 1;
  }
}

/** FLOP in the time that it takes to read a number. */
const READ_FLOPS = 8;
/** What a convolution by tiles costs of the plain sum. */
const TILED_COST = 0.5;

/** About how long a value takes that one thread computes, in FLOP of a matrix product. */
export function costOf({ operation, inputs, dims }: Value, lanes: number): number {
  const numbers = inputs.reduce(
    (sum, input) => sum + sizeOf(input.dims) * (input.batched ? lanes : 1),
    0,
  );
  const sums = operation.kind === "dense"
    ? sizeOf(inputs[0]!.dims.slice(0, -1)) * sizeOf(dims)
    : operation.kind === "depthwise"
    ? operation.shape.outputHeight * operation.shape.outputWidth * sizeOf(dims)
    : operation.kind === "conv2d"
    ? operation.shape.outputHeight * operation.shape.outputWidth * sizeOf(dims) *
      (winogradPays(convShape(operation.shape, lanes)) ? TILED_COST : 1)
    : 0;
  return 2 * sums * lanes + READ_FLOPS * numbers;
}

/**
 * The calls that compute a value, in order.
 *
 * @param part samples of a value that {@link canSplit}, or of the {@link outputsOf} a value
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

/** How the batch of a value lies, as kernels that sum over it take it. */
function blocksOf({ dims }: Value, lanes: number, blocks: number) {
  return { count: blocks, stride: blockBytes(sizeOf(dims), lanes, blocks) / 4 };
}

function rowsShape([table, width]: readonly number[], indices: Value, batch: number) {
  return { table: table!, width: width!, numbers: sizeOf(indices.dims), batch };
}

/** Joins, parts, paddings and transpositions. */
function copies(module: ModuleBuilder, value: Value, lanes: number): KernelUse[] {
  const { operation, inputs, dims, batched } = value;
  const run = batched ? lanes : 1;
  const toStrides = stridesOf(dims, run);
  const moved = (sizes: readonly number[], fromStrides: number[], to: number[], of: number) => ({
    kernel: copy(module, { sizes, fromStrides, toStrides: to, run }),
    of,
  });
  switch (operation.kind) {
    case "concat": {
      let offset = 0;
      return inputs.map((input, of) => {
        const { kernel } = moved(input.dims, stridesOf(input.dims, run), toStrides, of);
        const place = { of: "result", offset } as const;
        offset += input.dims[operation.axis]! * toStrides[operation.axis]! * 4;
        return { kernel, operands: [{ of }, place] };
      });
    }
    case "slice": {
      const fromStrides = stridesOf(inputs[0]!.dims, run);
      const offset = operation.begin.reduce((sum, at, i) => sum + at * fromStrides[i]!, 0) * 4;
      const { kernel } = moved(dims, fromStrides, toStrides, 0);
      return [{ kernel, operands: [{ of: 0, offset }, RESULT] }];
    }
    case "pad": {
      const from = inputs[0]!.dims;
      const offset = operation.before.reduce((sum, at, i) => sum + at * toStrides[i]!, 0) * 4;
      const { kernel } = moved(from, stridesOf(from, run), toStrides, 0);
      const filler = map(module, {
        sizes: [sizeOf(dims) * run],
        present: [],
        expression: operation.fill,
      });
      return [
        { kernel: filler, operands: [RESULT] },
        { kernel, operands: [{ of: 0 }, { of: "result", offset }] },
      ];
    }
    case "transpose": {
      const strides = stridesOf(inputs[0]!.dims, run);
      const fromStrides = operation.axes.map((axis) => strides[axis]!);
      const { kernel } = moved(dims, fromStrides, toStrides, 0);
      return [{ kernel, operands: [{ of: 0 }, RESULT] }];
    }
    default:
      throw new RangeError(`Cannot compute a value of kind "${operation.kind}" by a kernel`);
  }
}

/** Floats from one element of each axis to the next. */
function stridesOf(dims: readonly number[], run: number): number[] {
  return dims.map((_, axis) => sizeOf(dims.slice(axis + 1)) * run);
}

function epilogueOf({ bias, relu, mask }: Finish): Epilogue {
  return {
    ...(bias === true ? { bias: "row" as const } : {}),
    ...(relu === true ? { activation: "relu" as const } : {}),
    ...(mask === true ? { mask: true } : {}),
  };
}

/** Operands of a kernel by the names of its parameters. */
function operandsBy(kernel: Kernel, finish: Finish, names: Record<string, Operand>): Operand[] {
  const extra: Record<string, Operand> = { scratch: SCRATCH, scale: { of: "factor" } };
  let next = 2;
  if (finish.bias === true) extra["bias"] = { of: next++ };
  if (finish.mask === true) extra["mask"] = { of: next };
  return kernel.params.map((name) => names[name] ?? extra[name]!);
}

function sumEpilogue({ update }: Store): SumEpilogue {
  return update ? { accumulate: true, scale: "operand" } : {};
}

function dense(
  module: ModuleBuilder,
  { inputs, dims }: Value,
  { part, finish }: Operation & { readonly kind: "dense" },
  lanes: number,
  store: Store,
  count: number,
  outputs: OutputRange | undefined,
  blocks: number,
): KernelUse[] {
  const x = inputs[0]!.dims;
  const rows = sizeOf(x.slice(0, -1));
  const k = x.at(-1)!;
  const n = part === "weightGradient" ? inputs[1]!.dims.at(-1)! : dims.at(-1)!;
  const calls: KernelUse[] = [];
  for (let row = 0; row < rows; row++) {
    const own = lanes / blocks;
    const from = { of: 0, offset: row * k * own * 4 };
    if (part === "weightGradient") {
      // The gradient of the outputs is turned to [batch][outputs], so that the sum over samples
      // is that of an ordinary product.
      const turned = transpose(module, { rows: n, columns: own });
      const accumulate = store.update || row > 0;
      const { first, count: m } = outputs ?? { first: 0, count: k };
      const kernel = gemm(module, {
        ...{ m, n, k: lanes, aRow: own, aDepth: 1, bDepth: n, cRow: n, pack: packPays(k) },
        ...(blocks > 1 ? { aBlocks: blocksOf(inputs[0]!, lanes, blocks) } : {}),
        epilogue: { accumulate, ...(store.update ? { scale: "operand" as const } : {}) },
      });
      const { stride } = blocksOf(inputs[1]!, lanes, blocks);
      for (let block = 0; block < blocks; block++) {
        const second = { of: 1, offset: (block * stride + row * n * own) * 4 };
        const target = { of: "second scratch", offset: block * own * n * 4 } as const;
        calls.push({ kernel: turned, operands: [second, target] });
      }
      const names = {
        a: { ...from, offset: from.offset + first * own * 4 },
        b: { of: "second scratch" } as const,
        c: { ...RESULT, offset: first * n * 4 },
      };
      calls.push({ kernel, operands: operandsBy(kernel, {}, names) });
    } else {
      const [aRow, aDepth] = part === "forward" ? [1, n] : [k, 1];
      const kernel = gemm(module, {
        ...{ m: n, n: count, k, aRow, aDepth, bDepth: lanes, cRow: lanes },
        epilogue: epilogueOf(finish),
      });
      const offset = row * n * lanes * 4;
      const names = { a: { of: 1 }, b: from, c: { of: "result", offset } as const };
      const operands = operandsBy(kernel, finish, names).map((operand, i) =>
        kernel.params[i] === "mask" ? { ...operand, offset } : operand
      );
      calls.push({ kernel, operands });
    }
  }
  return calls;
}

/** Bytes of the second scratch of a value. */
export function secondScratchBytes(value: Value, lanes: number, blocks = 1): number {
  const { operation, inputs } = value;
  if (blocks > 1 && mustJoin(value, lanes)) return joinedBytes(value, lanes);
  return operation.kind === "dense" && operation.part === "weightGradient"
    ? inputs[1]!.dims.at(-1)! * lanes * 4
    : 0;
}

type WeightGradient = (
  module: ModuleBuilder,
  shape: Conv2dShape,
  epilogue: SumEpilogue,
  part: number,
) => Kernel;

interface ConvolutionTemplates {
  readonly forward: typeof conv2dForward;
  readonly inputGradient: typeof conv2dInputGradient;
  readonly weightGradient: WeightGradient;
}

const CONVOLUTIONS: ConvolutionTemplates = {
  forward: conv2dForward,
  inputGradient: conv2dInputGradient,
  weightGradient: conv2dWeightGradient,
};
const DEPTHWISE: ConvolutionTemplates = {
  forward: depthwiseForward,
  inputGradient: depthwiseInputGradient,
  weightGradient: depthwiseWeightGradient,
};

function convolution(
  module: ModuleBuilder,
  { inputs }: Value,
  { part, shape, finish }: Operation & { readonly kind: "conv2d" | "depthwise" },
  templates: ConvolutionTemplates,
  lanes: number,
  store: Store,
  count: number,
  outputs: OutputRange = { first: 0, count: shape.outputChannels },
  blocks = 1,
): KernelUse {
  const [input, output] = inputs.map((value) => blocksOf(value, lanes, blocks).stride);
  const extents = {
    ...convShape(shape, lanes, count),
    ...(blocks > 1 ? { blocks: { count: blocks, input: input!, output: output! } } : {}),
  };
  const kernel = part === "weightGradient"
    ? templates.weightGradient(module, extents, sumEpilogue(store), outputs.count)
    : templates[part](module, extents, epilogueOf(finish));
  const names: Record<string, Operand> = {
    forward: { x: { of: 0 }, w: { of: 1 }, y: RESULT },
    inputGradient: { dy: { of: 0 }, w: { of: 1 }, dx: RESULT },
    weightGradient: {
      x: { of: 0 },
      dy: { of: 1, offset: outputs.first * lanes / blocks * 4 },
      dw: { ...RESULT, offset: outputs.first * 4 },
    },
  }[part] as Record<string, Operand>;
  return { kernel, operands: operandsBy(kernel, finish, names) };
}

function poolShape(
  { take, shape }: Operation & { readonly kind: "pool" | "poolGradient" },
  lanes: number,
  count = lanes,
) {
  return { ...convShape(shape, lanes, count), take };
}

/** The padding behind is what makes the output as long as it is. */
function convShape(shape: WindowShape, lanes: number, count = lanes): Conv2dShape {
  const behind = (
    input: number,
    output: number,
    kernel: number,
    stride: number,
    dilation: number,
    before: number,
  ) => Math.max(0, (output - 1) * stride + (kernel - 1) * dilation + 1 - input - before);
  const { outputHeight, outputWidth, ...rest } = shape;
  return {
    ...rest,
    batch: count,
    ...(count === lanes ? {} : { batchStride: lanes }),
    padBottom: behind(
      shape.inputHeight,
      outputHeight,
      shape.kernelHeight,
      shape.strideHeight,
      shape.dilationHeight,
      shape.padTop,
    ),
    padRight: behind(
      shape.inputWidth,
      outputWidth,
      shape.kernelWidth,
      shape.strideWidth,
      shape.dilationWidth,
      shape.padLeft,
    ),
  };
}
