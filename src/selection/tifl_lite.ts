/** TiFL without credits and validations: tiers are judged by what their clients' training showed. */
import { sample } from "../core/prng.ts";
import type { Selector } from "./selector.ts";
import { countOf, type Size, withSize } from "./size.ts";
import { drawTier } from "./tier_draw.ts";
import { byTier, noTiers, numTiers, tiersOf, type TierState } from "./tiers.ts";

/** How many tiers, and how many clients of the drawn one. */
export type TierArgs = Size & { readonly num_tiers: number };

/** Everybody in round 1, then clients of a drawn tier. */
export const tiflLite: Selector<TierArgs, TierState> = {
  usesSpeed: true,
  args: withSize({ num_tiers: numTiers }),
  initial: () => noTiers,
  select({ round, candidates }, before, args, prng) {
    if (candidates.length === 0) return { train: [], state: before };
    const state = tiersOf(before, candidates, args.num_tiers);
    if (round === 1) return { train: candidates.map(({ id }) => id), state };
    const members = byTier(state, candidates);
    const ids = members.get(drawTier(members, prng))!.map(({ id }) => id);
    return { train: sample(ids, countOf(args, ids.length), prng), state, spares: ids };
  },
};
