/**
 * FedAsync: each update is mixed into the global weights as soon as it comes, the less the staler:
 *
 *     w = (1 - a) w + a w_c,   a = mixing * s(t - tau)
 *
 * with t the round and tau the one from whose weights the client started. Xie et al., "Asynchronous
 * Federated Optimization" (2019), where `mixing` is called alpha. As in the original, `alpha` is the
 * exponent of the polynomial s, and mixing is 1 unless it is given.
 *
 * With several updates a round each has its part of the change, whatever the order of arrival:
 * `w = w + 1/K sum of a_k (w_k - w)`.
 */
import * as v from "valibot";
import type { Aggregator } from "./aggregator.ts";
import { weightedMean } from "./weighted_mean.ts";

const above0 = v.pipe(v.number(), v.finite(), v.gtValue(0, "must be more than 0"));

/** Arguments; `alpha` as in the original. */
export type FedasyncArgs = {
  readonly alpha: number;
  readonly mixing: number;
  readonly staleness: "polynomial" | "constant" | "hinge";
  readonly hinge_slope: number;
  readonly hinge_rounds: number;
  readonly updates_per_round: number;
};

/** Every update completes a round, or every so many. */
export const fedasync: Aggregator<FedasyncArgs, Record<never, never>> = {
  args: v.strictObject({
    alpha: v.optional(
      v.pipe(
        v.number(),
        v.finite(),
        v.minValue(0, "must be at least 0"),
        v.description("Exponent of the polynomial staleness: (1 + stale rounds)^-alpha"),
      ),
      0.5,
    ),
    mixing: v.optional(
      v.pipe(
        above0,
        v.maxValue(1, "must be at most 1"),
        v.description("Share of a fresh update in the new global weights"),
      ),
      1,
    ),
    staleness: v.optional(
      v.pipe(
        v.picklist(["polynomial", "constant", "hinge"]),
        v.description("How the share of an update falls with its stale rounds"),
      ),
      "polynomial",
    ),
    hinge_slope: v.optional(
      v.pipe(above0, v.description("Of hinge: how fast the share falls after hinge_rounds")),
      10,
    ),
    hinge_rounds: v.optional(
      v.pipe(
        v.number(),
        v.finite(),
        v.minValue(0, "must be at least 0"),
        v.description("Of hinge: stale rounds that cost nothing"),
      ),
      4,
    ),
    updates_per_round: v.optional(
      v.pipe(
        v.number(),
        v.integer("must be a whole number"),
        v.minValue(1, "must be at least 1"),
        v.description("Updates that complete a round"),
      ),
      1,
    ),
  }),
  initial: () => ({}),
  ready({ inFlight, updates }, { updates_per_round: needed }) {
    if (updates.length >= needed) return updates.slice(0, needed);
    return inFlight.length === 0 ? updates : null;
  },
  async aggregate({ global, round, updates, read, state }, args, result) {
    const shares = updates.map((update) => {
      return args.mixing * freshness(round - update.round, args) / updates.length;
    });
    const old = 1 - shares.reduce((sum, share) => sum + share, 0);
    // A share of 0 would still make NaN of what overflows, and -0 of 0.
    const parts = old === 0 ? updates : [null, ...updates];
    await weightedMean(
      parts,
      old === 0 ? shares : [old, ...shares],
      (update, start, end) =>
        update === null
          ? Promise.resolve(global.values.subarray(start, end))
          : read(update, start, end),
      result,
    );
    return state;
  },
};

/** What the staleness leaves of an update: 1 for a fresh one, never 0. */
export function freshness(
  staleRounds: number,
  { staleness, alpha, hinge_slope: slope, hinge_rounds: free }: FedasyncArgs,
): number {
  switch (staleness) {
    case "constant":
      return 1;
    case "polynomial":
      return (staleRounds + 1) ** -alpha;
    case "hinge":
      return staleRounds <= free ? 1 : 1 / (slope * (staleRounds - free) + 1);
  }
}
