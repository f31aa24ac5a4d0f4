/**
 * HACCS: clusters of clients with similar labels are drawn by their loss and their speed, so that
 * all kinds of data take part although the slow do not hold up the round. Wolfrath et al., "HACCS:
 * Heterogeneity-Aware Clustered Client Selection for Accelerated Federated Learning" (2022).
 *
 *     weight of a cluster = rho (1 - T / max T) + (1 - rho) L / sum of L
 *
 * with T the seconds a mini-batch of its slowest client and L the mean loss of its clients.
 */
import * as v from "valibot";
import { drawIndex } from "./draw.ts";
import { byCluster, clustersOf, type ClusterState, noClusters } from "./label_clusters.ts";
import type { Candidate, Selector } from "./selector.ts";
import { countOf, type Size, withSize } from "./size.ts";
import { bySpeed } from "./speed.ts";
import { numTiers } from "./tiers.ts";

/** Arguments, named as in the original. */
export type HaccsArgs = Size & {
  readonly num_tiers: number;
  readonly loss_latency_tradeoff_param: number;
};

/** Everybody in round 1, then draws of clusters, each giving its fastest client that is left. */
export const haccs: Selector<HaccsArgs, ClusterState> = {
  usesSpeed: true,
  args: withSize({
    num_tiers: numTiers,
    loss_latency_tradeoff_param: v.optional(
      v.pipe(
        v.number(),
        v.minValue(0, "must be at least 0"),
        v.maxValue(1, "must be at most 1"),
        v.description("What counts in drawing a cluster; 1: its speed alone, 0: its loss alone"),
      ),
      0.5,
    ),
  }, 0.1),
  initial: () => noClusters,
  select({ round, candidates }, before, args, prng) {
    if (candidates.length === 0) return { train: [], state: before };
    const state = clustersOf(before, candidates, args.num_tiers);
    if (round === 1) return { train: candidates.map(({ id }) => id), state };
    const clusters = byCluster(state, candidates);
    const weights = clusterWeights(clusters, args.loss_latency_tradeoff_param);
    const left = clusters.map((members) => [...members].sort(bySpeed));
    const train: string[] = [];
    const count = countOf(args, candidates.length);
    while (train.length < count) {
      const open = left.flatMap((members, i) => members.length > 0 ? [i] : []);
      const drawn = open[drawIndex(open.map((i) => weights[i]!), prng)]!;
      train.push(left[drawn]!.shift()!.id);
    }
    return { train, state };
  },
};

/** The weights of clusters in the draw; what is not known of one is taken as the mean of the rest. */
export function clusterWeights(clusters: readonly (readonly Candidate[])[], rho: number): number[] {
  const slowest = withMean(clusters.map((members) => {
    const known = valuesOf(members, ({ secondsPerBatch }) => secondsPerBatch);
    return known.length === 0 ? null : Math.max(...known);
  }));
  const losses = withMean(clusters.map((members) => {
    const known = valuesOf(members, ({ lastMetrics }) => lastMetrics?.loss ?? null);
    return known.length === 0 ? null : known.reduce((sum, loss) => sum + loss, 0) / known.length;
  }));
  const longest = Math.max(...slowest);
  const total = losses.reduce((sum, loss) => sum + loss, 0);
  return clusters.map((_, i) => {
    const speed = longest > 0 ? 1 - slowest[i]! / longest : 0;
    const loss = total > 0 ? Math.max(0, losses[i]!) / total : 0;
    return rho * speed + (1 - rho) * loss;
  });
}

function valuesOf(members: readonly Candidate[], value: (client: Candidate) => number | null) {
  return members.map(value).filter((one) => one !== null && Number.isFinite(one)) as number[];
}

function withMean(values: readonly (number | null)[]): number[] {
  const known = values.filter((value) => value !== null);
  const mean = known.reduce((sum, value) => sum + value, 0) / Math.max(1, known.length);
  return values.map((value) => value ?? mean);
}
