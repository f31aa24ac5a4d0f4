/** What stands in memory before a step: weights, inputs, constants and random numbers. */
import type { UniformShape } from "../../kernels/mod.ts";
import { checkBytes } from "../kernel_memory.ts";
import { blockBytes, blockPlaces } from "./blocks.ts";
import { reachable, sizeOf, type StepGraph, type Value } from "./graph.ts";
import type { Arena } from "./memory_plan.ts";

/** Bytes of a value in memory, where a batch lies in so many blocks. */
export function bytesOf({ dims, batched }: Value, lanes: number, blocks = 1): number {
  return batched ? blocks * blockBytes(sizeOf(dims), lanes, blocks) : sizeOf(dims) * 4;
}

/** Addresses of what outlives a step, the same for the plans of all batch sizes. */
export interface Resident {
  /** Of each variable, by slot. */
  readonly variables: readonly number[];
  /** Of each scalar by name, and of `minus learning rate`. */
  readonly scalars: Readonly<Record<string, number>>;
  /** The first byte that a plan may use for itself. */
  readonly base: number;
}

/** A random tensor that must be filled before each step. */
export interface RandomPlace {
  readonly address: number;
  readonly elements: number;
  /** Its last axis is the batch. */
  readonly batched: boolean;
  /** How a batch of several blocks lies: see `uniform`. */
  readonly blocks?: NonNullable<UniformShape["blocks"]>;
}

/** Where a graph's values are that no kernel makes. */
export interface Sources {
  readonly addresses: ReadonlyMap<Value, number>;
  /** In how many blocks a batch lies. */
  readonly blocks: number;
  /** Address of each input by name, [block][...dims][lanes of the block]. */
  readonly inputs: Readonly<Record<string, number>>;
  /** Constants with their addresses, written once. */
  readonly constants: readonly { readonly address: number; readonly values: Float32Array }[];
  readonly randoms: readonly RandomPlace[];
}

/**
 * Gives a place to each value that stands in memory before a step.
 *
 * @throws {ModelError} a value needs more memory than there can be
 */
export function placeSources(
  graph: StepGraph,
  lanes: number,
  resident: Resident,
  arena: Arena,
  blocks = 1,
): Sources {
  const inputs: Record<string, number> = {};
  const constants: { address: number; values: Float32Array }[] = [];
  const randoms: RandomPlace[] = [];
  const addresses = new Map<Value, number>();
  for (const value of reachable(graph)) {
    const numbers = sizeOf(value.dims);
    const bytes = bytesOf(value, lanes, blocks);
    checkBytes(bytes);
    const { operation } = value;
    const own = () => arena.take(bytes).address;
    switch (operation.kind) {
      case "input":
        addresses.set(value, inputs[operation.name] = own());
        break;
      case "variable":
        addresses.set(value, resident.variables[operation.slot]!);
        break;
      case "scalar":
        addresses.set(value, resident.scalars[operation.name]!);
        break;
      case "constant": {
        const address = own();
        constants.push({ address, values: operation.values });
        addresses.set(value, address);
        break;
      }
      case "lanes": {
        const address = own();
        const ones = Float32Array.from({ length: lanes }, (_, n) => n < graph.samples ? 1 : 0);
        for (const { first, count, start } of blockPlaces(address, numbers, lanes, blocks)) {
          constants.push({ address: start * 4, values: ones.subarray(first, first + count) });
        }
        addresses.set(value, address);
        break;
      }
      case "random": {
        const address = own();
        const { batched } = value;
        const stride = blockBytes(numbers, lanes, blocks) / 4;
        randoms.push({
          ...{ address, elements: numbers * (batched ? lanes : 1), batched },
          ...(batched && blocks > 1
            ? { blocks: { count: blocks, row: lanes / blocks, stride } }
            : {}),
        });
        addresses.set(value, address);
      }
    }
  }
  return { addresses, blocks, inputs, constants, randoms };
}
