/** Candidates for selection as an engine lists them. */
import fc from "fast-check";
import type { Candidate, SelectionView } from "../../src/selection/selector.ts";

/** `count` clients `c_1`, `c_2`, ... that have never trained; the UUIDs are up to the caller. */
export function candidates(count: number, id = (n: number) => `uuid-${n}`): Candidate[] {
  return Array.from({ length: count }, (_, i) => ({
    id: id(i + 1),
    name: `c_${i + 1}`,
    samples: 100,
    labelDistribution: null,
    lastMetrics: null,
    lastRound: null,
    lastValidation: null,
    secondsPerBatch: null,
    failedLast: false,
  }));
}

/** Any number of candidates, none included. */
export const anyCandidates = fc.nat({ max: 30 }).map((count) => candidates(count));

/** What a selector sees before a round in which nobody is at work. */
export function viewOf(
  from: readonly Candidate[],
  rest: Partial<SelectionView> = {},
): SelectionView {
  return { round: 1, candidates: from, busy: [], updates: 0, ...rest };
}
