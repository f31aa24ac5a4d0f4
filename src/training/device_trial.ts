/** Finds by a short trial which of two learners is faster with the batches of a training. */
import type { Device } from "../core/metrics.ts";

/** One side of a trial. */
export interface Contestant {
  readonly device: Device;
  /** Computes one step; it is over when the promise is fulfilled. */
  step(): void | Promise<void>;
}

/** What one side needed. */
export interface TrialTime {
  readonly device: Device;
  /** Mean milliseconds of a step; infinite if it failed. */
  readonly stepMs: number;
  /** Why it failed; null if it did not. */
  readonly failure: unknown;
}

/** Milliseconds of a trial, in which each side has its half. */
export const TRIAL_MS = 1000;

/**
 * Measures contestants one after the other, each for its share of the time and for at least one
 * step. Its first step is not counted, as it compiles, but takes from its time. The trial is longer
 * than asked for by steps that were begun only.
 *
 * @param now monotonic milliseconds
 * @returns the times, the fastest first; of equals, that of the earlier contestant
 */
export async function rankBySpeed(
  contestants: readonly Contestant[],
  now: () => number,
  trialMs: number = TRIAL_MS,
): Promise<TrialTime[]> {
  const times: TrialTime[] = [];
  for (const contestant of contestants) {
    times.push(await timeOf(contestant, now, trialMs / contestants.length));
  }
  return times.sort((a, b) => a.stepMs === b.stepMs ? 0 : a.stepMs - b.stepMs);
}

async function timeOf(
  { device, step }: Contestant,
  now: () => number,
  shareMs: number,
): Promise<TrialTime> {
  const endMs = now() + shareMs;
  try {
    await step();
    const startMs = now();
    let steps = 0;
    let passedMs = 0;
    do {
      await step();
      steps += 1;
      passedMs = now() - startMs;
    } while (startMs + passedMs < endMs);
    return { device, stepMs: passedMs / steps, failure: null };
  } catch (failure) {
    return { device, stepMs: Infinity, failure };
  }
}
