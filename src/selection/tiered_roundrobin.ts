/** The tiers take turns, the fastest first. */
import type { Selector } from "./selector.ts";
import { countOf, withSize } from "./size.ts";
import { bySpeed } from "./speed.ts";
import type { TierArgs } from "./tifl_lite.ts";
import { byTier, noTiers, numTiers, tiersOf, type TierState } from "./tiers.ts";

/** Tiers, and whose turn it is. */
export type RoundRobinState = TierState & { readonly next: number };

/** Everybody in round 1, then the fastest clients of the tier whose turn it is. */
export const tieredRoundrobin: Selector<TierArgs, RoundRobinState> = {
  usesSpeed: true,
  args: withSize({ num_tiers: numTiers }),
  initial: () => ({ ...noTiers, next: 0 }),
  select({ round, candidates }, before, args) {
    if (candidates.length === 0) return { train: [], state: before };
    const tiers = tiersOf(before, candidates, args.num_tiers);
    if (round === 1) {
      return { train: candidates.map(({ id }) => id), state: { ...tiers, next: 0 } };
    }
    const members = byTier(tiers, candidates);
    // A tier of which nobody is there loses its turn.
    const turns = [...members.keys()];
    const tier = turns.find((one) => one >= before.next) ?? turns[0]!;
    const ids = members.get(tier)!.sort(bySpeed).map(({ id }) => id);
    return {
      train: ids.slice(0, countOf(args, ids.length)),
      state: { ...tiers, next: (tier + 1) % args.num_tiers },
      spares: ids,
    };
  },
};
