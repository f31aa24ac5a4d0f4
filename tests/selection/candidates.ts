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

/** A client that has trained, with what the strategies look at. */
export function measured(
  n: number,
  known: {
    readonly loss?: number;
    readonly accuracy?: number;
    readonly seconds?: number;
    readonly labels?: Readonly<Record<string, number>>;
    readonly round?: number;
    readonly validation?: { readonly round: number; readonly loss: number; accuracy?: number };
    readonly failed?: boolean;
  } = {},
): Candidate {
  const { loss, accuracy = null, round = 1, validation } = known;
  const metrics = { accuracy, test: null, epochs: 1, miniBatches: 10, trainSeconds: 1 };
  return {
    ...candidates(n).at(-1)!,
    lastMetrics: loss === undefined ? null : { ...metrics, loss },
    lastRound: loss === undefined ? null : round,
    lastValidation: validation === undefined ? null : {
      round: validation.round,
      evaluation: { loss: validation.loss, accuracy: validation.accuracy ?? null, samples: 5 },
    },
    secondsPerBatch: known.seconds ?? null,
    labelDistribution: known.labels ?? null,
    failedLast: known.failed ?? false,
  };
}
