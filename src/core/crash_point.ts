/**
 * Named places at which a process can be made to die as by `kill -9`, so that tests can prove what
 * survives a death exactly there. Without FLOTILLA_CRASH_AT in the environment nothing happens.
 */

/** The places, by what has just happened; each is where a death leaves something half done. */
export const crashPoints = [
  /** An event is about to be appended. */
  "journal_before",
  /** An event is in the journal, and nobody was told. */
  "journal_after",
  /** A blob's bytes are on the disk under a temporary name. */
  "blob_written",
  /** A round's updates are aggregated, and the result is nowhere but in memory. */
  "aggregated",
  /** The new global weights are stored, and no event names them. */
  "aggregate_stored",
  /** A checkpoint is on the disk under a temporary name. */
  "checkpoint_written",
  /** The results of the run are written, and the journal does not say that it has ended. */
  "results_saved",
  /** A client has trained, and the result is nowhere but in memory. */
  "trained",
] as const;

export type CrashPoint = typeof crashPoints[number];

interface Armed {
  readonly point: string;
  left: number;
}

let armed: Armed | null | undefined;

/** Ends this process at once if FLOTILLA_CRASH_AT is `point:count` and this is the count-th time. */
export function crashPoint(point: CrashPoint): void {
  if (armed === undefined) armed = fromEnvironment();
  if (armed === null || armed.point !== point) return;
  armed.left--;
  if (armed.left === 0) Deno.kill(Deno.pid, "SIGKILL");
}

function fromEnvironment(): Armed | null {
  const [point, count] = (Deno.env.get("FLOTILLA_CRASH_AT") ?? "").split(":");
  return point ? { point, left: Number(count ?? 1) } : null;
}
