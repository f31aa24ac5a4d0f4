/** When a client counts as silent, and what is remembered of its heartbeats. */

/** Seconds that are granted beyond the missed heartbeats, as in the original. */
const GRACE_S = 2;

/** What a client owes a leader. */
export interface HeartbeatRule {
  /** Seconds between two heartbeats. */
  readonly intervalS: number;
  /** Number of heartbeats that may be missed. */
  readonly maxMisses: number;
}

/** Milliseconds after its last sign of life at which a client becomes inactive. */
export function silenceLimitMs({ intervalS, maxMisses }: HeartbeatRule): number {
  return (maxMisses * intervalS + GRACE_S) * 1000;
}

/**
 * Whether a client has been silent for too long: `now - last >= maxMisses * interval + 2` seconds.
 *
 * @param lastMs time of its last advert or heartbeat, on the same monotonic clock as `nowMs`
 */
export function isSilent(lastMs: number, nowMs: number, rule: HeartbeatRule): boolean {
  return nowMs - lastMs >= silenceLimitMs(rule);
}

/** The latest `keep` times of heartbeats, oldest first, after one more at `nowMs`. */
export function rememberHeartbeat(
  times: readonly number[],
  nowMs: number,
  keep: number,
): number[] {
  return [...times, nowMs].slice(-keep);
}
