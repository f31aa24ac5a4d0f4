/**
 * How threads share the sums over the batch: some are cut into parts for all threads, others are
 * computed whole by one thread each, so that all have about as much to do.
 */
import type { KernelUse, OutputRange } from "./kernel_use.ts";
import { costOf } from "./split_values.ts";
import type { Instruction } from "./schedule.ts";

/** Who computes something: one thread, or each thread its samples or its part of the outputs. */
export type Share = number | "samples" | "outputs";

/** Where and when something is computed. */
export interface Turn {
  readonly phase: number;
  readonly share: Share;
}

/** An instruction with its kernels and its turn. */
export interface Task extends Turn {
  readonly instruction: Instruction;
  /** For each thread what it calls. */
  readonly uses: readonly (readonly KernelUse[])[];
  /**
   * What a thread calls that computes all of it, if any thread may do so, and later too, as nothing
   * waits for it.
   */
  readonly waiting?: (thread: number) => readonly KernelUse[];
  /** Its outputs, if threads share them, and what a thread calls that computes some of them. */
  readonly cut?: {
    readonly count: number;
    readonly usesOf: (outputs: OutputRange, thread: number) => readonly KernelUse[];
  };
}

/** How much of the time of the busiest thread the others should be busy. */
const EVEN = 0.8;

/**
 * Lets whole gradients wait for those of further layers, until there are some that keep all threads
 * busy for about as long: one alone would let all threads wait but its own.
 */
export function shareWaiting(
  tasks: readonly Task[],
  lanes: number,
  threads: number,
): readonly Task[] {
  const changed = new Map<Task, Task>();
  let waiting: Task[] = [];
  const cost = ({ instruction: { value } }: Task) => costOf(value, lanes);
  const waiters = tasks.filter(({ waiting }) => waiting !== undefined).sort((a, b) =>
    a.phase - b.phase
  );
  for (const task of waiters) {
    waiting.push(task);
    const loads = Array.from({ length: threads }, () => 0);
    const sorted = waiting.toSorted((a, b) => cost(b) - cost(a));
    const owners = sorted.map((own) => {
      const thread = loads.indexOf(Math.min(...loads));
      loads[thread]! += cost(own);
      return thread;
    });
    const isEven = Math.min(...loads) >= EVEN * Math.max(...loads);
    if (!isEven && task !== waiters.at(-1)) continue;
    for (const [i, own] of sorted.entries()) {
      const uses = loads.map((_, thread) => thread === owners[i] ? own.waiting!(thread) : []);
      changed.set(own, { ...own, uses, phase: task.phase, share: owners[i]! });
    }
    waiting = [];
  }
  return tasks.map((task) => changed.get(task) ?? task);
}

/**
 * Gives each thread its outputs: as many as the others, or the fewer the more it has to do of whole
 * tasks in the phase.
 */
export function cutOutputs(
  tasks: readonly Task[],
  lanes: number,
  threads: number,
): readonly Task[] {
  const phases = Map.groupBy(tasks, ({ phase }) => phase);
  return tasks.map((task) => {
    if (task.cut === undefined) return task;
    const loads = Array.from({ length: threads }, () => 0);
    let outputs = 0;
    for (const { share, instruction: { value } } of phases.get(task.phase)!) {
      const cost = share === "samples" ? 0 : costOf(value, lanes);
      if (typeof share === "number") loads[share]! += cost;
      else outputs += cost;
    }
    const mean = (outputs + loads.reduce((sum, load) => sum + load, 0)) / threads;
    // Equal parts are those that kernels compute best.
    const isEven = mean >= EVEN * (outputs / threads + Math.max(...loads));
    const room = loads.map((load) => isEven ? 1 : Math.max(0, mean - load));
    return { ...task, uses: inProportion(task.cut.count, room).map(task.cut.usesOf) };
  });
}

/** Cuts a number of outputs in proportion to weights, of which one at least is above 0. */
export function inProportion(count: number, weights: readonly number[]): OutputRange[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let before = 0, first = 0;
  return weights.map((weight) => {
    before += weight;
    const end = Math.round(count * before / total);
    const range = { first, count: end - first };
    first = end;
    return range;
  });
}
