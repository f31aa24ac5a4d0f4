/**
 * TiFL: a round's clients are all of one tier, so that nobody waits for a slower one; which tier is
 * drawn by how well the global weights serve it, within credits. Chai et al., "TiFL: A Tier-based
 * Federated Learning System" (2020).
 */
import * as v from "valibot";
import { sample } from "../core/prng.ts";
import { validationInterval } from "./loss.ts";
import type { Selector } from "./selector.ts";
import { drawTier } from "./tier_draw.ts";
import { byTier, noTiers, numTiers, tiersOf, type TierState } from "./tiers.ts";

const positive = v.pipe(
  v.number(),
  v.integer("must be a whole number"),
  v.minValue(1, "must be at least 1"),
);

/** Arguments, named as in the original. */
export type TiflArgs = {
  readonly num_tiers: number;
  readonly num_clients: number;
  readonly credits_per_tier: number;
  readonly validation_round_interval: number;
};

/** Tiers, and the rounds that each may still have by its number. */
export type TiflState = TierState & { readonly credits: readonly number[] };

/**
 * Draws a tier that has credits left, and its clients. When no tier that is there has any, all get
 * theirs anew: the original waits for ever then.
 */
export const tifl: Selector<TiflArgs, TiflState> = {
  usesSpeed: true,
  args: v.strictObject({
    num_tiers: numTiers,
    num_clients: v.optional(v.pipe(positive, v.description("Clients a round")), 1),
    credits_per_tier: v.optional(
      v.pipe(positive, v.description("Rounds that a tier may have before all others had theirs")),
      10,
    ),
    validation_round_interval: validationInterval(1),
  }),
  initial: () => ({ ...noTiers, credits: [] }),
  validate({ round, candidates }, _state, { validation_round_interval: interval }) {
    // Also before round 1, as in the original: every tier starts with a known accuracy.
    const isDue = interval !== 0 && (round - 1) % interval === 0;
    return isDue ? candidates.map(({ id }) => id) : [];
  },
  select({ candidates }, state, args, prng) {
    if (candidates.length === 0) return { train: [], state };
    const { tiers, measured } = tiersOf(state, candidates, args.num_tiers);
    const members = byTier({ tiers, measured }, candidates);
    const full = new Array<number>(args.num_tiers).fill(args.credits_per_tier);
    let credits = state.credits.length === 0 ? full : [...state.credits];
    if ([...members.keys()].every((tier) => credits[tier] === 0)) credits = full;
    const open = new Map([...members].filter(([tier]) => credits[tier]! > 0));
    const tier = drawTier(open, prng);
    credits[tier]! -= 1;
    const ids = members.get(tier)!.map(({ id }) => id);
    return {
      train: sample(ids, args.num_clients, prng),
      state: { tiers, measured, credits },
      spares: ids,
    };
  },
};
