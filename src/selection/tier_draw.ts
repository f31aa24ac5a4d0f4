/**
 * The draw of a tier as in TiFL: the worse the global weights are for a tier, the likelier it is
 * drawn. Of M tiers, sorted from the worst, the i-th has the probability `(M - i) / (M (M - 1) / 2)`
 * for i from 1; the best one is not drawn while there is another.
 */
import type { Prng } from "../core/prng.ts";
import { drawIndex } from "./draw.ts";
import { latestLoss } from "./loss.ts";
import type { Candidate } from "./selector.ts";

/**
 * Draws a tier.
 *
 * @param tiers at least one, none empty
 */
export function drawTier(tiers: ReadonlyMap<number, readonly Candidate[]>, prng: Prng): number {
  const all = [...tiers.values()].flat();
  // By accuracy as in the paper; a model that does not classify has a loss only.
  const hasAccuracy = all.some((client) => accuracyOf(client) !== null) &&
    all.every((client) => accuracyOf(client) !== null || latestLoss(client) === null);
  const badness = hasAccuracy
    ? (client: Candidate) => minus(accuracyOf(client))
    : (client: Candidate) => latestLoss(client);
  const sorted = [...tiers]
    .map(([tier, members]) => ({ tier, badness: meanOf(members.map(badness)) }))
    .sort((a, b) => b.badness - a.badness || a.tier - b.tier);
  const weights = sorted.map((_, i) => sorted.length - 1 - i);
  return sorted[drawIndex(weights, prng)]!.tier;
}

function accuracyOf({ lastValidation, lastMetrics }: Candidate): number | null {
  return lastValidation?.evaluation.accuracy ?? lastMetrics?.accuracy ?? null;
}

function minus(value: number | null): number | null {
  return value === null ? null : -value;
}

/** The mean of those that are known; a tier of which nothing is known is the worst. */
function meanOf(values: readonly (number | null)[]): number {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return Infinity;
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}
