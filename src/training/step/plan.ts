/**
 * A graph as one WebAssembly module: a flat list of kernel calls with constant addresses, and the
 * places in memory of everything it reads and writes.
 */
import {
  type Arithmetic,
  type FunctionBuilder,
  hasWideVectors,
  type Kernel,
  type MemoryImport,
  ModuleBuilder,
  WORKBENCH_BYTES,
} from "../../kernels/mod.ts";
import { checkBytes } from "../kernel_memory.ts";
import type { StepGraph, Value } from "./graph.ts";
import type { KernelUse, LaneRange, Operand } from "./kernel_use.ts";
import { kernelsOf, secondScratchBytes } from "./kernels_of_values.ts";
import { Arena, type Place } from "./memory_plan.ts";
import { type Instruction, lastUses, rootOf, schedule } from "./schedule.ts";
import { bytesOf, placeSources, type Resident, type Sources } from "./sources.ts";

/** A compiled graph. */
export interface Plan extends Omit<Sources, "addresses" | "randoms"> {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly loss: number;
  /** Address of the outputs, [block][...dims][lanes of the block]. */
  readonly outputs: number;
  /** One byte behind the last that is used. */
  readonly top: number;
  /** The kernels called, in order, for people. */
  readonly calls: readonly { readonly value: Value; readonly kernel: Kernel }[];
}

/** How a graph is compiled. */
export interface PlanOptions {
  readonly arithmetic: Arithmetic;
  /** What the module must know of a memory that threads share. @default {{}} */
  readonly memory?: MemoryImport;
  /** Whether the engine joins pairs of vectors. @default as it was started */
  readonly isWide?: boolean;
  /** More calls before the step. @default none */
  readonly extra?: ExtraCalls;
}

/** A kernel with the addresses of its operands. */
export interface KernelCall {
  readonly kernel: Kernel;
  readonly operands: readonly number[];
}

/** Makes the kernel calls that fill what a step reads, for given parts of its samples. */
export type ExtraCalls = (
  module: ModuleBuilder,
  sources: Sources,
  arena: Arena,
  parts: readonly LaneRange[],
) => {
  /** For each part, calls that load its inputs. */
  readonly loads: readonly (readonly KernelCall[])[];
  /** Calls that draw random numbers, in this order. */
  readonly draws: readonly KernelCall[];
};

/** No calls before a step. */
export const NO_EXTRA: ExtraCalls = () => ({ loads: [], draws: [] });

/** Addresses of what an instruction works on. */
export interface OperandPlaces {
  readonly inputs: readonly number[];
  readonly result: number;
  readonly scratch: number;
  readonly "second scratch": number;
  readonly factor: number;
}

/** Adds the calls of an instruction's kernels. */
export function callKernels(
  f: FunctionBuilder,
  uses: readonly KernelUse[],
  places: OperandPlaces,
): void {
  for (const { kernel, operands } of uses) {
    f.call(kernel.func, ...operands.map((operand) => addressOf(operand, places)));
  }
}

/** The address of an operand. */
function addressOf({ of, offset = 0 }: Operand, places: OperandPlaces): number {
  return (typeof of === "number" ? places.inputs[of]! : places[of]) + offset;
}

/** An instruction with its kernels and the places that they work on. */
interface PlacedInstruction {
  readonly value: Value;
  readonly uses: readonly KernelUse[];
  readonly places: OperandPlaces;
}

/**
 * Compiles a graph to a module that exports `step`.
 *
 * @param lanes samples in memory, as `lanesFor` has them
 * @throws {ModelError} it needs more memory than there can be
 * @throws {NotRecordable} as `schedule`
 */
export function planStep(
  graph: StepGraph,
  lanes: number,
  resident: Resident,
  { arithmetic, memory = {}, extra = NO_EXTRA, isWide = hasWideVectors() }: PlanOptions,
): Plan {
  const arena = new Arena(resident.base);
  const module = atWorkbench(new ModuleBuilder({ arithmetic, memory }), arena, isWide);
  const sources = placeSources(graph, lanes, resident, arena);
  const { loads, draws } = extra(module, sources, arena, [{ first: 0, count: lanes }]);
  const { placed, addresses } = placeResults(module, graph, lanes, resident, sources, arena);
  checkBytes(arena.top);
  const step = module.function("step", {}, (f) => {
    for (const { kernel, operands } of [...loads.flat(), ...draws]) {
      f.call(kernel.func, ...operands);
    }
    for (const { uses, places } of placed) callKernels(f, uses, places);
  });
  module.export("step", step);
  return {
    ...finished(module, graph, sources, addresses, arena),
    calls: placed.flatMap(({ value, uses }) => uses.map(({ kernel }) => ({ value, kernel }))),
  };
}

/** The module for functions that have a workbench of their own. */
export function atWorkbench(module: ModuleBuilder, arena: Arena, isWide: boolean): ModuleBuilder {
  return module.withWorkbench(arena.take(WORKBENCH_BYTES).address, WORKBENCH_BYTES, isWide);
}

/** A plan whose module is complete, but for its list of calls. */
export function finished(
  module: ModuleBuilder,
  graph: StepGraph,
  { blocks, inputs, constants }: Sources,
  addresses: ReadonlyMap<Value, number>,
  arena: Arena,
): Omit<Plan, "calls"> {
  return {
    bytes: module.bytes(),
    blocks,
    inputs,
    constants,
    loss: addresses.get(rootOf(graph.loss))!,
    outputs: addresses.get(rootOf(graph.outputs))!,
    top: arena.top,
  };
}

/** Gives each instruction its kernels and places; a place is given back after its last use. */
function placeResults(
  module: ModuleBuilder,
  graph: StepGraph,
  lanes: number,
  resident: Resident,
  sources: Sources,
  arena: Arena,
): { placed: readonly PlacedInstruction[]; addresses: ReadonlyMap<Value, number> } {
  const instructions = schedule(graph);
  const lastUse = lastUses(graph, instructions);
  const addresses = new Map(sources.addresses);
  const taken = new Map<Value, Place>();
  const placed = instructions.map(({ value, update }, index) => {
    const uses = kernelsOf(module, value, lanes, { update: update?.accumulate === true });
    const ending = new Set(
      value.inputs.map(rootOf).filter((input) => lastUse.get(input) === index && taken.has(input)),
    );
    if (update === null) {
      const over = overwritten(value, ending, lanes);
      const place = over === undefined ? arena.take(bytesOf(value, lanes)) : taken.get(over)!;
      if (over !== undefined) {
        ending.delete(over);
        taken.delete(over);
      }
      taken.set(value, place);
      addresses.set(value, place.address);
    }
    const scratch = arena.take(Math.max(0, ...uses.map(({ kernel }) => kernel.scratchBytes)));
    const secondScratch = arena.take(secondScratchBytes(value, lanes));
    arena.release(scratch);
    arena.release(secondScratch);
    const scratches = [scratch.address, secondScratch.address] as const;
    const places = operandPlaces({ value, update }, addresses, resident, scratches);
    for (const input of ending) {
      arena.release(taken.get(input)!);
      taken.delete(input);
    }
    return { value, uses, places };
  });
  return { placed, addresses };
}

/** Where the operands of an instruction are, as its kernels name them. */
export function operandPlaces(
  { value, update }: Instruction,
  addresses: ReadonlyMap<Value, number>,
  resident: Resident,
  [scratch, secondScratch]: readonly [number, number],
): OperandPlaces {
  return {
    inputs: value.inputs.map((input) => addresses.get(rootOf(input))!),
    result: update === null ? addresses.get(value)! : resident.variables[update.slot]!,
    scratch,
    "second scratch": secondScratch,
    factor: resident.scalars["minus learning rate"]!,
  };
}

/** A map may write over an operand that has its whole extent and is not used again. */
function overwritten(value: Value, ending: ReadonlySet<Value>, lanes: number): Value | undefined {
  if (value.operation.kind !== "map") return undefined;
  return [...ending].find((input) =>
    bytesOf(input, lanes) === bytesOf(value, lanes) && input.batched === value.batched
  );
}
