/**
 * Tiers by speed, each of which trains in rounds of its own: a tier whose clients have all answered
 * is given the next ones, whatever the others do. With the aggregator `fedat` of Chai et al.,
 * "FedAT: A High-Performance and Communication-Efficient Federated Learning System with Asynchronous
 * Tiers" (2021).
 */
import * as v from "valibot";
import { byName, type ClientId } from "../core/ids.ts";
import { sample } from "../core/prng.ts";
import type { SelectionView, Selector } from "./selector.ts";
import { byTier, noTiers, numTiers, tiersOf, type TierState } from "./tiers.ts";

/** How many tiers, and how many clients of each. */
export interface FedatArgs {
  readonly [key: string]: number | null;
  readonly num_tiers: number;
  /** Null: as many as the smallest tier has. */
  readonly num_clients_selected_per_tier: number | null;
}

/** Gives each tier that owes nothing its next clients. */
export const fedat: Selector<FedatArgs, TierState> = {
  usesSpeed: true,
  args: v.strictObject({
    num_tiers: numTiers,
    num_clients_selected_per_tier: v.nullish(
      v.pipe(
        v.number(),
        v.integer("must be a whole number"),
        v.minValue(1, "must be at least 1"),
        v.description("Clients of a tier that train together; null: the size of the smallest tier"),
      ),
      null,
    ),
  }),
  initial: () => noTiers,
  select: fillTiers,
  refill: fillTiers,
};

function fillTiers(
  { candidates, busy }: SelectionView,
  before: TierState,
  args: FedatArgs,
  prng: () => number,
) {
  const state = tiersOf(before, [...candidates, ...busy].sort(byName), args.num_tiers);
  const everybody = byTier(state, [...candidates, ...busy]);
  const smallest = Math.min(...[...everybody.values()].map((members) => members.length));
  const size = args.num_clients_selected_per_tier ?? smallest;
  const atWork = new Set(busy.map(({ group }) => group));
  const groups: Record<ClientId, string> = {};
  for (const [tier, members] of byTier(state, candidates)) {
    const group = `tier ${tier + 1}`;
    if (atWork.has(group)) continue;
    for (const { id } of sample(members, size, prng)) groups[id] = group;
  }
  // A silent client's place stays empty: one of another tier would slow this one down.
  return { train: Object.keys(groups), groups, state, spares: [] };
}
