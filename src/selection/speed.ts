/** The order of clients by speed, for the strategies that take the fastest of a group. */
import { byName } from "../core/ids.ts";
import type { Candidate } from "./selector.ts";

/**
 * The fastest first; before them whoever has just come and is not measured, as its speed would
 * never be known otherwise, and last whoever is not measured because it has failed.
 */
export function bySpeed(a: Candidate, b: Candidate): number {
  const [x, y] = [secondsOf(a), secondsOf(b)];
  return x === y ? byName(a, b) : x - y;
}

function secondsOf({ secondsPerBatch, failedLast }: Candidate): number {
  return secondsPerBatch ?? (failedLast ? Infinity : 0);
}
