/** The threads that compute steps together with the one that asks for them. */
import { FlotillaError, messageOf } from "../../core/errors.ts";
import type { KernelMemory } from "../kernel_memory.ts";
import {
  Barriers,
  COMMANDS,
  CONTROL,
  type Control,
  CONTROL_COUNT,
  type EndFlag,
  fail,
  throwIfFailed,
} from "./barrier.ts";
import { phaseName } from "./phase_name.ts";
import type { ThreadedPlan } from "../step/threaded_plan.ts";
import type { ThreadStart } from "./step_thread.ts";

/** Kept before the worker takes it away from the code of models. */
const ThreadWorker = Worker;

/** What the threads need of a plan. */
export type ThreadedCode = Pick<ThreadedPlan, "bytes" | "top" | "phases" | "threads">;

/** Limits of threads. */
export interface StepThreadsOptions {
  /** Milliseconds that a thread may take for its part between two waits. @default {60000} */
  readonly limitMs?: number;
  /**
   * Milliseconds that threads may take to start: one that does not says so to an event loop that
   * waits, so this is found by waiting.
   *
   * @default {10000}
   */
  readonly startLimitMs?: number;
  /** Set by others to end the threads, whatever becomes of this one. @default never set */
  readonly ended?: EndFlag;
}

/** Threads on one shared memory, which start when the first plan that needs them is loaded. */
export class StepThreads {
  readonly #memory: KernelMemory;
  readonly #limitMs: number;
  readonly #startLimitMs: number;
  readonly #control: Control = new Int32Array(
    new SharedArrayBuffer(CONTROL_COUNT * Int32Array.BYTES_PER_ELEMENT),
  );
  readonly #ended: EndFlag;
  #workers: Worker[] = [];
  #plans = 0;

  constructor(
    memory: KernelMemory,
    {
      limitMs = 60_000,
      startLimitMs = 10_000,
      ended = new Int32Array(new SharedArrayBuffer(4)),
    }: StepThreadsOptions = {},
  ) {
    this.#memory = memory;
    this.#ended = ended;
    this.#limitMs = limitMs;
    this.#startLimitMs = startLimitMs;
  }

  /**
   * Loads a plan in its threads, this one included, and returns what runs it.
   *
   * @throws {FlotillaError} a thread does not start or failed: names it and the reason; what is
   * returned throws the same, and all threads end
   */
  load({ bytes, top, phases, threads }: ThreadedCode): () => void {
    const plan = this.#plans++;
    const exports = this.#memory.instantiate(bytes, top + bytes.length);
    this.#guarded(() => {
      // Behind the plan's own memory, which other plans use only after all have read this.
      this.#memory.bytes.set(bytes, top);
      this.#control[CONTROL.codeAddress] = top;
      this.#control[CONTROL.codeBytes] = bytes.length;
      this.#control[CONTROL.phases] = phases;
      this.#start(threads);
      this.#command(COMMANDS.load, plan, threads, this.#startLimitMs).pass();
    });
    const own = Array.from(
      { length: phases },
      (_, phase) => exports[phaseName(phase, 0)] as () => void,
    );
    return () =>
      this.#guarded(() => {
        const barriers = this.#command(COMMANDS.run, plan, threads, this.#limitMs);
        for (const phase of own) {
          phase();
          barriers.pass();
        }
      });
  }

  /** Ends the threads; no plan can be loaded or run any more. */
  close(): void {
    // The runtime does not end a worker that waits without an event loop: it must find out itself.
    fail(this.#control, 0, "they were ended");
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
  }

  #guarded<T>(work: () => T): T {
    try {
      throwIfFailed(this.#control);
      return work();
    } catch (error) {
      const reason = messageOf(error);
      fail(this.#control, 0, reason);
      this.close();
      throw new FlotillaError(reason, { cause: error });
    }
  }

  #start(threads: number): void {
    for (let thread = this.#workers.length + 1; thread < threads; thread++) {
      const worker = new ThreadWorker(new URL("./step_thread.ts", import.meta.url).href, {
        type: "module",
        name: `step ${thread}`,
        deno: { permissions: "none" },
      });
      worker.onerror = (event) => {
        event.preventDefault();
        fail(this.#control, thread, event.message);
      };
      const start: ThreadStart = {
        memory: this.#memory.shared,
        control: this.#control,
        thread,
        commands: this.#control[CONTROL.commands]!,
        ended: this.#ended,
      };
      worker.postMessage(start);
      this.#workers.push(worker);
    }
  }

  #command(command: number, plan: number, threads: number, limitMs: number): Barriers {
    const control = this.#control;
    const base = Atomics.load(control, CONTROL.arrivals);
    control[CONTROL.command] = command;
    control[CONTROL.plan] = plan;
    control[CONTROL.threads] = threads;
    control[CONTROL.base] = base;
    Atomics.add(control, CONTROL.commands, 1);
    Atomics.notify(control, CONTROL.commands);
    return new Barriers(control, threads, base, { limitMs });
  }
}
