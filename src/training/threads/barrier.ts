/**
 * How the threads of a step wait for each other: numbers in shared memory that only grow, watched
 * for a moment and then slept on. No event loop takes part, as a step is one synchronous call. The
 * worker of a thread may read this folder alone, so its modules import no others.
 */

/** Places in the control numbers; those that are watched have a cache line of their own. */
export const CONTROL = {
  /** Commands given so far. */
  commands: 0,
  /** Arrivals of threads at barriers so far. */
  arrivals: 16,
  /** What the command asks for, of which plan and of how many threads. */
  command: 32,
  plan: 33,
  threads: 34,
  /** Arrivals when the command was given. */
  base: 35,
  /** Of a plan to load: where its code lies, and its phases. */
  codeAddress: 36,
  codeBytes: 37,
  phases: 38,
  /** The number of the thread that failed, plus 1; 0 while none has. */
  failed: 48,
  /** Bytes of the reason, which follows. */
  reasonBytes: 49,
  reason: 50,
} as const;

/** How many control numbers there are. */
export const CONTROL_COUNT = 128;

export const COMMANDS = { load: 1, run: 2 } as const;

/** The control numbers of a group of threads. */
export type Control = Int32Array<SharedArrayBuffer>;

/** One number, not 0 once the threads shall end. */
export type EndFlag = Int32Array<SharedArrayBuffer>;

/** How long to wait for others. */
export interface Patience {
  /** @default {Infinity} */
  readonly limitMs?: number;
  /** Ends a wait too. @default never */
  readonly ended?: EndFlag;
}

/** How long to watch before sleeping: to wake a thread takes up to half of it. */
const WATCH_MS = 1;
/** Looks between two looks at the clock. */
const LOOKS = 500;
/** A sleeper looks up so often, in case that nobody wakes it. */
const SLEEP_MS = 250;

/**
 * Waits until a number that grows reaches a value; both may wrap around.
 *
 * @throws {Error} another thread failed, all shall end, or the number does not reach it within the limit
 */
export function waitUntil(
  control: Control,
  place: number,
  value: number,
  { limitMs = Infinity, ended }: Patience = {},
): void {
  if (sees(control, place, value)) return;
  const start = performance.now();
  for (;;) {
    if (sees(control, place, value)) return;
    const waited = performance.now() - start;
    if (waited < WATCH_MS) continue;
    throwIfFailed(control);
    if (ended !== undefined && Atomics.load(ended, 0) !== 0) throw new Error("The trainer ended");
    if (waited > limitMs) {
      throw new Error(
        `Cannot finish a step on several threads as one gives no sign for ${limitMs / 1000} s`,
      );
    }
    const now = Atomics.load(control, place);
    if (!reaches(now, value)) {
      Atomics.wait(control, place, now, Math.min(SLEEP_MS, limitMs - waited + 1));
    }
  }
}

function sees(control: Control, place: number, value: number): boolean {
  for (let look = 0; look < LOOKS; look++) {
    if (reaches(Atomics.load(control, place), value)) return true;
  }
  return false;
}

function reaches(count: number, value: number): boolean {
  return ((count - value) | 0) >= 0;
}

/** Barriers of one command, which its threads pass together one after another. */
export class Barriers {
  #target: number;

  constructor(
    readonly control: Control,
    readonly threads: number,
    base: number,
    readonly patience: Patience,
  ) {
    this.#target = base;
  }

  /** @throws {Error} as {@link waitUntil} */
  pass(): void {
    this.#target = (this.#target + this.threads) | 0;
    const arrivals = (Atomics.add(this.control, CONTROL.arrivals, 1) + 1) | 0;
    if (arrivals === this.#target) Atomics.notify(this.control, CONTROL.arrivals);
    else waitUntil(this.control, CONTROL.arrivals, this.#target, this.patience);
  }
}

/** Tells all threads that one of them cannot go on; only the first is heard. */
export function fail(control: Control, thread: number, reason: string): void {
  const space = (CONTROL_COUNT - CONTROL.reason) * 4;
  const text = new TextEncoder().encode(reason).subarray(0, space);
  if (Atomics.compareExchange(control, CONTROL.reasonBytes, 0, text.length) === 0) {
    reasonOf(control, text.length).set(text);
    Atomics.store(control, CONTROL.failed, thread + 1);
  }
  Atomics.notify(control, CONTROL.commands);
  Atomics.notify(control, CONTROL.arrivals);
}

/** @throws {Error} a thread failed: names it and its reason */
export function throwIfFailed(control: Control): void {
  const failed = Atomics.load(control, CONTROL.failed);
  if (failed === 0) return;
  const reason = new TextDecoder().decode(reasonOf(control, control[CONTROL.reasonBytes]!).slice());
  throw new Error(`Cannot finish a step as its thread ${failed - 1} failed: ${reason}`);
}

function reasonOf(control: Control, bytes: number): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(control.buffer, control.byteOffset + CONTROL.reason * 4, bytes);
}
