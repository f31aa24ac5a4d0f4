/**
 * FedAT: every tier has a model of its own, the average of its clients' last updates, and the global
 * weights are a mean of the tiers' models in which those that update seldom count more. Of M tiers,
 * sorted by their number of updates T from the most, the m-th has the weight
 *
 *     T of the (M + 1 - m)-th / sum of all T
 *
 * Chai et al., "FedAT: A High-Performance and Communication-Efficient Federated Learning System with
 * Asynchronous Tiers" (2021). A tier without an update has no model yet and does not count: with the
 * formula as it stands it would have the largest weight, and the first rounds would learn nothing.
 */
import * as v from "valibot";
import type { Aggregator, Assigned } from "./aggregator.ts";
import { weightedMean } from "./weighted_mean.ts";

/** Number of updates by tier. */
export type FedatState = { readonly counts: Readonly<Record<string, number>> };

/** A tier all of whose clients have answered completes a round. */
export const fedat: Aggregator<Record<never, never>, FedatState> = {
  args: v.strictObject({}),
  initial: () => ({ counts: {} }),
  ready({ inFlight, updates }) {
    const owing = new Set(inFlight.map(tierOf));
    const first = updates.find((update) => !owing.has(tierOf(update)));
    if (first !== undefined) return updates.filter((update) => tierOf(update) === tierOf(first));
    return inFlight.length === 0 ? [] : null;
  },
  async aggregate({ updates, read, state, kept, readKept, keep }, _args, result) {
    const tier = tierOf(updates[0]!);
    const total = updates.reduce((sum, { samples }) => sum + samples, 0);
    const model = new Float32Array(result.length);
    await weightedMean(updates, updates.map(({ samples }) => samples / total), read, model);
    await keep(tier, model);
    const counts = { ...state.counts, [tier]: (state.counts[tier] ?? 0) + 1 };
    const tiers = [...new Set([...kept, tier])].sort();
    await weightedMean(
      tiers,
      tierWeights(tiers.map((one) => counts[one]!)),
      (one, start, end) =>
        one === tier ? Promise.resolve(model.subarray(start, end)) : readKept(one, start, end),
      result,
    );
    return { counts };
  },
};

/** Updates of clients that were selected without tiers are of one. */
function tierOf({ group }: Assigned): string {
  return group ?? "tier 1";
}

/**
 * The weight of each tier by its number of updates; they sum to 1. Tiers that have updated equally
 * often count alike, as their order says nothing.
 */
export function tierWeights(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const descending = [...counts].sort((a, b) => b - a);
  return counts.map((count) => {
    const first = descending.indexOf(count);
    const last = descending.lastIndexOf(count);
    // The tiers at first..last from the most have the counts at first..last from the fewest.
    const mirrored = descending.slice(counts.length - 1 - last, counts.length - first);
    return mirrored.reduce((sum, one) => sum + one, 0) / mirrored.length / total;
  });
}
