/** Calls of kernels whose operands are named by what they are to a value. */
import type { Epilogue, Kernel, SumEpilogue } from "../../kernels/mod.ts";
import { blockBytes } from "./blocks.ts";
import { type Finish, sizeOf, type Value } from "./graph.ts";

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

/** Neighbouring outputs of a value that `outputsOf` counts. */
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

export const RESULT = { of: "result" } as const;
const SCRATCH = { of: "scratch" } as const;

/** What a product does before it stores. */
export function epilogueOf({ bias, relu, mask }: Finish): Epilogue {
  return {
    ...(bias === true ? { bias: "row" as const } : {}),
    ...(relu === true ? { activation: "relu" as const } : {}),
    ...(mask === true ? { mask: true } : {}),
  };
}

/** Operands of a kernel by the names of its parameters. */
export function operandsBy(
  kernel: Kernel,
  finish: Finish,
  names: Record<string, Operand>,
): Operand[] {
  const extra: Record<string, Operand> = { scratch: SCRATCH, scale: { of: "factor" } };
  let next = 2;
  if (finish.bias === true) extra["bias"] = { of: next++ };
  if (finish.mask === true) extra["mask"] = { of: next };
  return kernel.params.map((name) => names[name] ?? extra[name]!);
}

/** What a sum does before it stores. */
export function sumEpilogue({ update }: Store): SumEpilogue {
  return update ? { accumulate: true, scale: "operand" } : {};
}

/** How the batch of a value lies, as kernels that sum over it take it. */
export function blocksOf({ dims }: Value, lanes: number, blocks: number) {
  return { count: blocks, stride: blockBytes(sizeOf(dims), lanes, blocks) / 4 };
}
