/** The loss of clients, for the strategies that select by it, and who has to measure it anew. */
import * as v from "valibot";
import type { ClientId } from "../core/ids.ts";
import type { Candidate, SelectionView } from "./selector.ts";

/** A client's loss: of its validation if that is at least as new as its training; null if unknown. */
export function latestLoss({ lastValidation, lastMetrics, lastRound }: Candidate): number | null {
  const isNewer = lastValidation !== null &&
    (lastRound === null || lastValidation.round >= lastRound);
  const loss = isNewer ? lastValidation.evaluation.loss : lastMetrics?.loss;
  return loss === undefined || !Number.isFinite(loss) ? null : loss;
}

/** The argument that says how often clients validate. */
export function validationInterval(fallback: number) {
  return v.optional(
    v.pipe(
      v.number(),
      v.integer("must be a whole number"),
      v.minValue(0, "must be at least 0"),
      v.description("Rounds between two validations of the global weights by all clients; 0: none"),
    ),
    fallback,
  );
}

/** All candidates before every `interval`-th round after the first, nobody before the others. */
export function validateEvery(
  { round, candidates }: SelectionView,
  interval: number,
): readonly ClientId[] {
  if (interval === 0 || round === 1 || (round - 1) % interval !== 0) return [];
  return candidates.map(({ id }) => id);
}
