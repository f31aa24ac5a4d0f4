/**
 * A graph as one WebAssembly module for several threads. Each thread computes its own samples of
 * what can be computed sample by sample, and its own part of the gradients of weights, whose sums
 * over the batch are not cut; the rest goes to one thread each. So every number is computed as by
 * one thread, and has the same bits.
 *
 * The step is cut into phases, between which all threads wait for each other: within a phase no
 * thread reads what another one writes.
 */
import { hasWideVectors, ModuleBuilder } from "../../kernels/mod.ts";
import { checkBytes } from "../kernel_memory.ts";
import type { StepGraph, Value } from "./graph.ts";
import type { LaneRange, OutputRange } from "./kernel_use.ts";
import { kernelsOf, secondScratchBytes } from "./kernels_of_values.ts";
import { canSplit, costOf, outputsOf } from "./split_values.ts";
import { Arena, type Place } from "./memory_plan.ts";
import { phaseName } from "../threads/phase_name.ts";
import {
  atWorkbench,
  callKernels,
  finished,
  NO_EXTRA,
  operandPlaces,
  type Plan,
  type PlanOptions,
} from "./plan.ts";
import { type Instruction, rootOf, schedule } from "./schedule.ts";
import { cutOutputs, shareWaiting, type Task, type Turn } from "./shares.ts";
import { blocksFor, LANES, PAIR_BYTES } from "./blocks.ts";
import { bytesOf, placeSources, type Resident, type Sources } from "./sources.ts";

/** A compiled graph that exports `phase P of thread T` in place of `step`. */
export interface ThreadedPlan extends Plan {
  readonly threads: number;
  readonly phases: number;
}

/** Each thread loads its samples. */
const LOADING: Turn = { phase: 0, share: "samples" };
/** Random numbers are drawn by one thread, in order. */
const DRAWING: Turn = { phase: 0, share: 0 };

/** Cuts samples into vectors and these evenly. */
export function laneRanges(lanes: number, threads: number): LaneRange[] {
  const border = (thread: number) => Math.floor(lanes / LANES * thread / threads) * LANES;
  return Array.from({ length: threads }, (_, thread) => ({
    first: border(thread),
    count: border(thread + 1) - border(thread),
  }));
}

/**
 * Compiles a graph for some threads.
 *
 * @param lanes as for `planStep`; at least one vector a thread
 * @throws as `planStep`
 */
export function planThreads(
  graph: StepGraph,
  lanes: number,
  threads: number,
  resident: Resident,
  { arithmetic, memory = {}, extra = NO_EXTRA, isWide = hasWideVectors() }: PlanOptions,
): ThreadedPlan {
  const module = new ModuleBuilder({ arithmetic, memory });
  const arena = new Arena(resident.base, PAIR_BYTES);
  const benches = Array.from({ length: threads }, () => atWorkbench(module, arena, isWide));
  const blocks = blocksFor(lanes, threads);
  const sources = placeSources(graph, lanes, resident, arena, blocks);
  const parts = laneRanges(lanes, threads);
  const { loads, draws } = extra(module, sources, arena, parts);
  const distributed = distribute(benches, schedule(graph), lanes, parts, blocks);
  const tasks = cutOutputs(shareWaiting(distributed, threads), threads);
  const scratches = parts.map((_, thread) => takeScratches(tasks, thread, lanes, blocks, arena));
  const { addresses, phases } = placePhases(tasks, graph, lanes, sources, arena);
  checkBytes(arena.top);
  for (let phase = 0; phase < phases; phase++) {
    const own = tasks.filter((task) => task.phase === phase);
    for (const thread of parts.keys()) {
      const func = module.function(phaseName(phase, thread), {}, (f) => {
        const before = phase > 0
          ? []
          : [...loads[thread] ?? [], ...thread === DRAWING.share ? draws : []];
        for (const { kernel, operands } of before) f.call(kernel.func, ...operands);
        for (const { instruction, uses } of own) {
          const places = operandPlaces(instruction, addresses, resident, scratches[thread]!);
          callKernels(f, uses[thread]!, places);
        }
      });
      module.export(phaseName(phase, thread), func);
    }
  }
  return {
    ...finished(module, graph, sources, addresses, arena),
    calls: tasks.flatMap(({ instruction: { value }, uses }) =>
      uses.flat().map(({ kernel }) => ({ value, kernel }))
    ),
    threads,
    phases,
  };
}

/** Room for the scratch of any task of a thread, which it does one after another. */
function takeScratches(
  tasks: readonly Task[],
  thread: number,
  lanes: number,
  blocks: number,
  arena: Arena,
): readonly [number, number] {
  const own = tasks.filter(({ share }) => typeof share === "string" || share === thread);
  const first = own.flatMap(({ uses }) => uses[thread]!.map(({ kernel }) => kernel.scratchBytes));
  const second = own.map(({ instruction: { value } }) => secondScratchBytes(value, lanes, blocks));
  const [one, two] = [first, second].map((bytes) => arena.take(Math.max(0, ...bytes)).address);
  return [one!, two!];
}

/** Places of results; one is given back when the phase of its last use has ended. */
function placePhases(
  tasks: readonly Task[],
  graph: StepGraph,
  lanes: number,
  { addresses: sources, blocks }: Sources,
  arena: Arena,
): { addresses: ReadonlyMap<Value, number>; phases: number } {
  const phases = Math.max(0, ...tasks.map(({ phase }) => phase)) + 1;
  const lastPhase = new Map<Value, number>();
  for (const { instruction, phase } of tasks) {
    for (const input of instruction.value.inputs.map(rootOf)) {
      lastPhase.set(input, Math.max(phase, lastPhase.get(input) ?? 0));
    }
  }
  for (const value of [graph.loss, graph.outputs]) lastPhase.set(rootOf(value), Infinity);
  const addresses = new Map(sources);
  const taken = new Map<Value, Place>();
  for (let phase = 0; phase < phases; phase++) {
    for (const { instruction: { value, update }, phase: own } of tasks) {
      if (own !== phase || update !== null) continue;
      const place = arena.take(bytesOf(value, lanes, blocks));
      taken.set(value, place);
      addresses.set(value, place.address);
    }
    // Not before the phase ends, as threads are at different places within it.
    for (const [value, place] of taken) {
      if ((lastPhase.get(value) ?? phase) > phase) continue;
      arena.release(place);
      taken.delete(value);
    }
  }
  return { addresses, phases };
}

/**
 * Gives each instruction its phase, and each whole one its thread: the one with the least to do.
 *
 * @param modules the module for the functions of each thread
 */
function distribute(
  modules: readonly ModuleBuilder[],
  instructions: readonly Instruction[],
  lanes: number,
  parts: readonly LaneRange[],
  blocks: number,
): Task[] {
  const tasks: Task[] = [];
  const makers = new Map<Value, Task>();
  const turnOf = (value: Value): Turn | undefined => {
    const { kind } = value.operation;
    return kind === "input" ? LOADING : kind === "random" ? DRAWING : makers.get(value);
  };
  const readers = new Map<number, Task[]>();
  /** Costs of whole instructions by phase and thread. */
  const loads: number[][] = [];
  for (const instruction of instructions) {
    const { value, update } = instruction;
    const inputs = value.inputs.map(rootOf);
    const store = { update: update?.accumulate === true };
    const needed = new Set<Turn>(inputs.flatMap((input) => turnOf(input) ?? []));
    // A variable may be written when all have read it.
    if (update !== null) { for (const task of readers.get(update.slot) ?? []) needed.add(task); }
    const least = Math.max(0, ...[...needed].map(({ phase }) => phase));
    const latest = [...needed].filter(({ phase }) => phase === least);
    const outputs = outputsOf(modules[0]!, value, lanes);
    const cost = costOf(modules[0]!, value, lanes);
    let task: Task;
    if (update === null && canSplit(value, lanes, blocks)) {
      const follows = latest.some(({ share }) => share !== "samples");
      const uses = parts.map((samples, thread) =>
        kernelsOf(modules[thread]!, value, lanes, store, { samples, blocks })
      );
      task = {
        ...{ instruction, cost, uses },
        phase: follows ? least + 1 : least,
        share: "samples",
      };
    } else if (outputs > 1) {
      const usesOf = (own: OutputRange, thread: number) =>
        own.count === 0
          ? []
          : kernelsOf(modules[thread]!, value, lanes, store, { outputs: own, blocks });
      const phase = latest.length === 0 ? least : least + 1;
      const cut = { count: outputs, usesOf };
      task = { instruction, cost, uses: [], phase, share: "outputs", cut };
    } else {
      const shares = new Set(latest.map(({ share }) => share));
      const [only] = shares;
      const joins = shares.size === 1 && typeof only === "number";
      const phase = joins || latest.length === 0 ? least : least + 1;
      const load = loads[phase] ??= parts.map(() => 0);
      const thread = joins ? only : load.indexOf(Math.min(...load));
      const whole = (thread: number) =>
        kernelsOf(modules[thread]!, value, lanes, store, { blocks });
      load[thread]! += cost;
      // What reads a variable must have done so before it is updated.
      const readsVariable = inputs.some(({ operation }) => operation.kind === "variable");
      const own = { instruction, cost, phase, share: thread };
      task = store.update && !joins && !readsVariable
        ? { ...own, uses: [], waiting: whole }
        : { ...own, uses: parts.map((_, t) => t === thread ? whole(thread) : []) };
    }
    tasks.push(task);
    if (update === null) makers.set(value, task);
    for (const { operation } of inputs) {
      if (operation.kind !== "variable") continue;
      readers.set(operation.slot, [...readers.get(operation.slot) ?? [], task]);
    }
  }
  return tasks;
}
