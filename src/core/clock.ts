/** Time as a parameter, so that tests can run an hour in a millisecond. */

/** The two clocks of a machine and a way to wait. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970, for stamps that people read; it may jump. */
  epochMs(): number;
  /** Monotonic milliseconds from an arbitrary start: the only clock to measure or wait by. */
  monotonicMs(): number;
  /**
   * Resolves after `ms` milliseconds, or rejects with the signal's reason as soon as it aborts.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A timer for longer than this (24.8 days) would end at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own clocks. */
export const systemClock: Clock = {
  epochMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        clearTimeout(timer);
        reject(signal!.reason);
      };
      let timer: ReturnType<typeof setTimeout>;
      const wait = (leftMs: number) => {
        timer = setTimeout(() => {
          if (leftMs > LONGEST_TIMER_MS) return wait(leftMs - LONGEST_TIMER_MS);
          signal?.removeEventListener("abort", stop);
          resolve();
        }, Math.min(leftMs, LONGEST_TIMER_MS));
      };
      wait(ms);
      signal?.addEventListener("abort", stop, { once: true });
    });
  },
};
