import assert from "node:assert/strict";
import * as v from "valibot";
import { seeded } from "../../src/core/prng.ts";
import { clusterWeights, haccs } from "../../src/selection/haccs.ts";
import { haccsLite } from "../../src/selection/haccs_lite.ts";
import { clustersOf, noClusters } from "../../src/selection/label_clusters.ts";
import { measured, viewOf } from "./candidates.ts";

/** Two with zeros mostly, two with ones, one of which has a label that the others have not. */
const four = [
  measured(1, { labels: { 0: 0.9, 1: 0.1 }, loss: 1, seconds: 2 }),
  measured(2, { labels: { 1: 1 }, loss: 2, seconds: 4 }),
  measured(3, { labels: { 0: 1 }, loss: 3, seconds: 1 }),
  measured(4, { labels: { 1: 0.8, 7: 0.2 }, loss: 4, seconds: 3 }),
];
const CLUSTERS = { "uuid-1": 0, "uuid-2": 1, "uuid-3": 0, "uuid-4": 1 };

Deno.test("clustersOf() groups by labels, also by one that most clients have not", () => {
  assert.deepEqual(clustersOf(noClusters, four, 2), { clusters: CLUSTERS });
});

Deno.test("clustersOf() forms clusters anew for a client without one, and keeps them for a leaver", () => {
  const before = clustersOf(noClusters, four, 2);
  assert.equal(clustersOf(before, four.slice(1), 2), before);
  const after = clustersOf(before, [...four, measured(5, { labels: { 1: 0.9, 0: 0.1 } })], 2);
  assert.deepEqual(after.clusters, { ...CLUSTERS, "uuid-5": 1 });
});

Deno.test("clustersOf() puts all in one where nobody's labels are known", () => {
  const unknown = [measured(1), measured(2), measured(3)];
  assert.deepEqual(Object.values(clustersOf(noClusters, unknown, 2).clusters), [0, 0, 0]);
});

Deno.test("clustersOf() refuses more clusters than clients", () => {
  assert.throws(() => clustersOf(noClusters, four, 5), /Cannot form 5 groups of 4 clients/);
});

Deno.test("clusterWeights() weigh speed against loss, as computed by hand", () => {
  const clusters = [[four[0]!, four[2]!], [four[1]!, four[3]!]];
  // Slowest 2 and 4 s, mean losses 2 and 3: 0.5 * (1 - 2/4) + 0.5 * 2/5 and 0 + 0.5 * 3/5.
  assert.deepEqual(clusterWeights(clusters, 0.5), [0.45, 0.3]);
  assert.deepEqual(clusterWeights(clusters, 0), [0.4, 0.6]);
  assert.deepEqual(clusterWeights(clusters, 1), [0.5, 0]);
});

Deno.test("clusterWeights() take what is not known of a cluster as the mean of the others", () => {
  const clusters = [[measured(1, { loss: 2 })], [measured(2)], [measured(3, { loss: 4 })]];
  assert.deepEqual(clusterWeights(clusters, 0), [2 / 9, 3 / 9, 4 / 9]);
  assert.deepEqual(clusterWeights([[measured(1)], [measured(2)]], 0.5), [0, 0]);
});

Deno.test("haccs takes everybody in round 1, then the fastest of the clusters it draws", () => {
  const args = v.parse(haccs.args, { num_tiers: 2, client_fraction: 0.25 });
  const first = haccs.select(viewOf(four), noClusters, args, seeded(1));
  assert.equal(first.train.length, 4);
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 1000; seed++) {
    const { train } = haccs.select(viewOf(four, { round: 2 }), first.state, args, seeded(seed));
    assert.equal(train.length, 1);
    counts.set(train[0]!, (counts.get(train[0]!) ?? 0) + 1);
  }
  // Weights 0.45 and 0.3: 600 and 400 of 1000, and of each cluster the faster one alone.
  assert.deepEqual([...counts.keys()].sort(), ["uuid-3", "uuid-4"]);
  assert.ok(Math.abs(counts.get("uuid-3")! - 600) < 60, `${counts.get("uuid-3")}`);
});

Deno.test("haccs draws as many as it shall, though a cluster runs out or weighs nothing", () => {
  const args = v.parse(haccs.args, {
    num_tiers: 2,
    client_fraction: 1,
    loss_latency_tradeoff_param: 1,
  });
  const { state } = haccs.select(viewOf(four), noClusters, args, seeded(1));
  const { train } = haccs.select(viewOf(four, { round: 2 }), state, args, seeded(1));
  assert.deepEqual([...train].sort(), four.map(({ id }) => id));
  const lone = haccs.select(viewOf(four.slice(0, 1), { round: 2 }), state, args, seeded(1));
  assert.deepEqual(lone.train, ["uuid-1"]);
});

Deno.test("haccs takes a tenth of the clients unless it is told, as the original", () => {
  assert.deepEqual(v.parse(haccs.args, {}), {
    num_tiers: 1,
    loss_latency_tradeoff_param: 0.5,
    client_fraction: 0.1,
  });
});

Deno.test("haccs_lite takes of each cluster in turn", () => {
  const args = v.parse(haccsLite.args, { num_tiers: 2, percentage_client_selection: 50 });
  for (let seed = 0; seed < 20; seed++) {
    const { train } = haccsLite.select(viewOf(four), noClusters, args, seeded(seed));
    assert.deepEqual(train.map((id) => CLUSTERS[id as keyof typeof CLUSTERS]), [0, 1]);
  }
  const all = v.parse(haccsLite.args, { num_tiers: 2 });
  const uneven = haccsLite.select(viewOf(four.slice(0, 3)), noClusters, all, seeded(1));
  assert.equal(new Set(uneven.train).size, 3);
});
