/**
 * Clients that are lost in the midst of their work: they die, their network is cut, or the leader is
 * new and does not know them yet. They have some time to come back, and then get the same job again.
 */
import type { Clock } from "../core/clock.ts";
import { RpcError, StoreInterruptedError } from "../core/errors.ts";
import { changeWithin, type Fleet } from "./fleet.ts";

/** Longest pause between two attempts; a change in the fleet ends it. */
const MAX_PAUSE_MS = 500;
/** Losses of one client in one assignment after which it counts as one that the work kills. */
const MAX_LOSSES = 8;

/** What bounds the attempts. */
export interface LossOptions {
  readonly clock: Clock;
  readonly fleet: Pick<Fleet, "nextChange">;
  /** Milliseconds that a lost client has to come back. */
  readonly returnMs: number;
  /** Monotonic time since which it is lost already; null if it is there. */
  readonly lostSinceMs: number | null;
  readonly signal: AbortSignal;
}

/**
 * Attempts an assignment again as long as its client may still come back.
 *
 * @param attempt calls `reached` when the client is at work
 * @throws what the last attempt threw
 */
export async function throughLosses<T>(
  attempt: (reached: () => void) => Promise<T>,
  { clock, fleet, returnMs, lostSinceMs, signal }: LossOptions,
): Promise<T> {
  let lostSince = lostSinceMs;
  let pauseMs = 50;
  for (let losses = 1;;) {
    let isReached = false;
    try {
      return await attempt(() => isReached = true);
    } catch (error) {
      if (signal.aborted) throw error;
      // The client has done its part, and keeps it.
      if (error instanceof StoreInterruptedError) continue;
      if (!isLoss(error, isReached)) throw error;
      const now = clock.monotonicMs();
      if (isReached) {
        if (++losses > MAX_LOSSES) throw error;
        pauseMs = 50;
      }
      lostSince = isReached ? now : lostSince ?? now;
      const leftMs = lostSince + returnMs - now;
      if (leftMs <= 0) throw error;
      await changeWithin(fleet, clock, Math.min(pauseMs, leftMs), signal);
      pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS);
    }
  }
}

/** A training that misses its deadline has had its time; a transfer before it may start again. */
function isLoss(error: unknown, isReached: boolean): boolean {
  return error instanceof RpcError &&
    (error.failure === "unavailable" || error.failure === "deadline" && !isReached);
}
