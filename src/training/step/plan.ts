/**
 * A graph as one WebAssembly module: a flat list of kernel calls with constant addresses, and the
 * places in memory of everything it reads and writes.
 */
import { type Arithmetic, type Kernel, ModuleBuilder } from "../../kernels/mod.ts";
import { checkBytes } from "../kernel_memory.ts";
import { reachable, sizeOf, type StepGraph, type Value } from "./graph.ts";
import {
  kernelsOf,
  type KernelUse,
  type Operand,
  secondScratchBytes,
} from "./kernels_of_values.ts";
import { Arena, type Place } from "./memory_plan.ts";
import { type Instruction, rootOf, schedule } from "./schedule.ts";

/** Samples in a vector. */
const LANES = 4;

/** Samples in memory for a batch: rounded up to whole vectors. */
export function lanesFor(samples: number): number {
  return Math.ceil(samples / LANES) * LANES;
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
}

/** A compiled graph. */
export interface Plan {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Address of each input by name, [...dims][lanes]. */
  readonly inputs: Readonly<Record<string, number>>;
  /** Constants with their addresses, written once. */
  readonly constants: readonly { readonly address: number; readonly values: Float32Array }[];
  readonly loss: number;
  /** Address of the outputs, [...dims][lanes]. */
  readonly outputs: number;
  /** One byte behind the last that is used. */
  readonly top: number;
  /** The kernels called, in order, for people. */
  readonly calls: readonly { readonly value: Value; readonly kernel: Kernel }[];
}

/**
 * Compiles a graph.
 *
 * @param lanes samples in memory, as {@link lanesFor} has them
 * @param extra more kernel calls before the step, to load inputs and fill random tensors
 * @throws {ModelError} it needs more memory than there can be
 */
export function planStep(
  graph: StepGraph,
  lanes: number,
  resident: Resident,
  arithmetic: Arithmetic,
  extra: (
    module: ModuleBuilder,
    inputs: Readonly<Record<string, number>>,
    randoms: readonly RandomPlace[],
    arena: Arena,
  ) => KernelCall[] = () => [],
): Plan {
  const module = new ModuleBuilder({ arithmetic });
  const arena = new Arena(resident.base);
  const values = reachable(graph);
  const inputs: Record<string, number> = {};
  const constants: { address: number; values: Float32Array }[] = [];
  const randoms: RandomPlace[] = [];
  const fixed = new Map<Value, number>();
  const bytesOf = ({ dims, batched }: Value) => sizeOf(dims) * (batched ? lanes : 1) * 4;
  for (const value of values) {
    checkBytes(bytesOf(value));
    const { operation } = value;
    const own = () => arena.take(bytesOf(value)).address;
    switch (operation.kind) {
      case "input":
        fixed.set(value, inputs[operation.name] = own());
        break;
      case "variable":
        fixed.set(value, resident.variables[operation.slot]!);
        break;
      case "scalar":
        fixed.set(value, resident.scalars[operation.name]!);
        break;
      case "constant": {
        const address = own();
        constants.push({ address, values: operation.values });
        fixed.set(value, address);
        break;
      }
      case "lanes": {
        const address = own();
        const ones = Float32Array.from({ length: lanes }, (_, n) => n < graph.samples ? 1 : 0);
        constants.push({ address, values: ones });
        fixed.set(value, address);
        break;
      }
      case "random": {
        const address = own();
        randoms.push({ address, elements: bytesOf(value) / 4, batched: value.batched });
        fixed.set(value, address);
      }
    }
  }
  const before = extra(module, inputs, randoms, arena);
  const instructions = schedule(graph);
  const lastUse = lastUses(graph, instructions);
  const places = new Map<Value, Place>();
  const uses: {
    value: Value;
    made: KernelUse[];
    operands: number[];
    result: number;
    scratch: number;
    secondScratch: number;
  }[] = [];
  instructions.forEach((instruction, index) => {
    const { value, update } = instruction;
    const made = kernelsOf(module, value, lanes, { update: update?.accumulate === true });
    const ending = [...new Set(value.inputs.map(rootOf))].filter((input) =>
      lastUse.get(input) === index && places.has(input)
    );
    let place: Place | undefined;
    if (update === null) {
      // A map may write over an operand that has its whole extent and is not used again.
      const over = value.operation.kind === "map"
        ? ending.find((input) =>
          bytesOf(input) === bytesOf(value) && input.batched === value.batched
        )
        : undefined;
      if (over !== undefined) {
        place = places.get(over)!;
        ending.splice(ending.indexOf(over), 1);
        places.delete(over);
      } else place = arena.take(bytesOf(value));
      places.set(value, place);
      fixed.set(value, place.address);
    }
    const result = update === null ? place!.address : resident.variables[update.slot]!;
    const operands = value.inputs.map((input) => fixed.get(rootOf(input))!);
    const scratch = arena.take(Math.max(0, ...made.map(({ kernel }) => kernel.scratchBytes)));
    const secondScratch = arena.take(secondScratchBytes(value, lanes));
    uses.push({
      ...{ value, made, operands, result },
      ...{ scratch: scratch.address, secondScratch: secondScratch.address },
    });
    arena.release(scratch);
    arena.release(secondScratch);
    for (const input of ending) {
      arena.release(places.get(input)!);
      places.delete(input);
    }
  });
  checkBytes(arena.top);
  const calls: { value: Value; kernel: Kernel }[] = [];
  const step = module.function("step", {}, (f) => {
    for (const { kernel, operands } of before) f.call(kernel.func, ...operands);
    for (const { value, made, operands: own, result, scratch, secondScratch } of uses) {
      const addressOf = ({ of, offset = 0 }: Operand): number => {
        if (typeof of === "number") return own[of]! + offset;
        const starts = {
          result,
          scratch,
          "second scratch": secondScratch,
          factor: resident.scalars["minus learning rate"]!,
        };
        return starts[of] + offset;
      };
      for (const { kernel, operands } of made) {
        f.call(kernel.func, ...operands.map(addressOf));
        calls.push({ value, kernel });
      }
    }
  });
  module.export("step", step);
  return {
    bytes: module.bytes(),
    inputs,
    constants,
    loss: fixed.get(rootOf(graph.loss))!,
    outputs: fixed.get(rootOf(graph.outputs))!,
    top: arena.top,
    calls,
  };
}

/** The last instruction that reads each value; the results of the step are read at its end. */
function lastUses(graph: StepGraph, instructions: readonly Instruction[]): Map<Value, number> {
  const last = new Map<Value, number>();
  instructions.forEach(({ value }, index) => {
    for (const input of value.inputs) last.set(rootOf(input), index);
  });
  for (const value of [graph.loss, graph.outputs]) last.set(rootOf(value), Infinity);
  return last;
}

/** A kernel with the addresses of its operands. */
export interface KernelCall {
  readonly kernel: Kernel;
  readonly operands: readonly number[];
}
