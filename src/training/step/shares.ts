/**
 * How threads share the sums over the batch: some are cut into parts for all threads, others are
 * computed whole by one thread each, so that all have about as much to do.
 */
import type { KernelUse, OutputRange } from "./kernel_use.ts";
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
  /** About how long one thread takes for all of it; any unit. */
  readonly cost: number;
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
/** As much for parts of one size, which kernels compute best. */
const EVEN_PARTS = 0.95;

/**
 * Lets whole gradients wait for those of further layers, until there are some that keep all threads
 * busy for about as long: one alone would let all threads wait but its own.
 */
export function shareWaiting(tasks: readonly Task[], threads: number): readonly Task[] {
  const changed = new Map<Task, Task>();
  let waiting: Task[] = [];
  const waiters = tasks.filter(({ waiting }) => waiting !== undefined).sort((a, b) =>
    a.phase - b.phase
  );
  for (const task of waiters) {
    waiting.push(task);
    const loads = Array.from({ length: threads }, () => 0);
    const sorted = waiting.toSorted((a, b) => b.cost - a.cost);
    const owners = sorted.map((own) => {
      const thread = loads.indexOf(Math.min(...loads));
      loads[thread]! += own.cost;
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
 * Shares what can be cut. What has the coarsest outputs goes whole to one thread, as long as that has
 * no more to do than its part of the phase: a part of a sum takes longer than it should, and reads
 * most of what all of it reads, half of which another thread has in its caches. Of the others each
 * thread gets as many outputs as the rest do, or the fewer the more it has to do already.
 */
export function cutOutputs(tasks: readonly Task[], threads: number): readonly Task[] {
  const phases = Map.groupBy(tasks, ({ phase }) => phase);
  const changed = new Map<Task, Task>();
  for (const own of phases.values()) {
    const loads = Array.from({ length: threads }, () => 0);
    for (const { share, cost } of own) if (typeof share === "number") loads[share]! += cost;
    const cuttable = own.filter(({ cut }) => cut !== undefined).sort((a, b) => grain(b) - grain(a));
    const mean = (sumOf(loads) + sumOf(cuttable.map(({ cost }) => cost))) / threads;
    const parted = cuttable.filter((task) => {
      const thread = loads.indexOf(Math.min(...loads));
      if (loads[thread]! + task.cost > mean) return true;
      loads[thread]! += task.cost;
      changed.set(task, cutBy(task, loads.map((_, other) => other === thread ? 1 : 0)));
      return false;
    });
    const parts = sumOf(parted.map(({ cost }) => cost)) / threads;
    const isEven = mean >= EVEN_PARTS * (parts + Math.max(...loads));
    const room = loads.map((load) => isEven ? 1 : Math.max(0, mean - load));
    for (const task of parted) changed.set(task, cutBy(task, room));
  }
  return tasks.map((task) => changed.get(task) ?? task);
}

/** What one of the outputs costs. */
function grain({ cost, cut }: Task): number {
  return cost / cut!.count;
}

/** A task whose outputs threads share in proportion to weights. */
function cutBy(task: Task, weights: readonly number[]): Task {
  const { count, usesOf } = task.cut!;
  return { ...task, uses: inProportion(count, weights).map(usesOf) };
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/** Cuts a number of outputs in proportion to weights, of which one at least is above 0. */
export function inProportion(count: number, weights: readonly number[]): OutputRange[] {
  const total = sumOf(weights);
  let before = 0, first = 0;
  return weights.map((weight) => {
    before += weight;
    const end = Math.round(count * before / total);
    const range = { first, count: end - first };
    first = end;
    return range;
  });
}
