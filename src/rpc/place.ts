/** A transfer's place in the budget of its direction. */
import type { ByteBudget } from "./byte_budget.ts";
import { placeOf } from "./windows.ts";

/**
 * How long a transfer keeps others out. One that takes longer goes on without its place: its link is
 * slow, so that little of it is in memory, and never more than its window.
 */
const LONGEST_HOLD_MS = 5000;

/**
 * Waits for the place of a transfer and holds it until the transfer is over.
 *
 * @param bytes size of the whole transfer
 * @param over aborts at the end of the transfer, whatever it was
 * @throws the signal's reason when the transfer ends before its turn comes
 */
export async function takePlace(
  budget: ByteBudget,
  bytes: number,
  over: AbortSignal,
  longestHoldMs = LONGEST_HOLD_MS,
): Promise<void> {
  const release = await budget.acquire(placeOf(bytes), over);
  const timer = setTimeout(release, longestHoldMs);
  over.addEventListener("abort", () => {
    clearTimeout(timer);
    release();
  }, { once: true });
}
