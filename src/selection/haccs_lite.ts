/** HACCS without loss and speed: the clusters of similar labels take turns within each round. */
import { shuffle } from "../core/prng.ts";
import { byCluster, clustersOf, type ClusterState, noClusters } from "./label_clusters.ts";
import type { Selector } from "./selector.ts";
import { countOf, withSize } from "./size.ts";
import type { TierArgs } from "./tifl_lite.ts";
import { numTiers } from "./tiers.ts";

/** A random client of each cluster in turn, until there are enough. */
export const haccsLite: Selector<TierArgs, ClusterState> = {
  args: withSize({ num_tiers: numTiers }),
  initial: () => noClusters,
  select({ candidates }, before, args, prng) {
    if (candidates.length === 0) return { train: [], state: before };
    const state = clustersOf(before, candidates, args.num_tiers);
    const left = byCluster(state, candidates)
      .map((members) => shuffle(members.map(({ id }) => id), prng));
    const count = countOf(args, candidates.length);
    const train: string[] = [];
    for (let turn = 0; train.length < count; turn++) {
      const next = left[turn % left.length]!.shift();
      if (next !== undefined) train.push(next);
    }
    return { train, state };
  },
};
