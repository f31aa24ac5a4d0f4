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
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, ms);
      signal?.addEventListener("abort", stop, { once: true });
    });
  },
};
