import assert from "node:assert/strict";
import fc from "fast-check";
import { fedat, tierWeights } from "../../src/aggregation/fedat.ts";
import { aggregated, noMemory, updateOf } from "./updates.ts";

/** An update of a tier. */
function of(tier: number, samples: number, ...values: number[]) {
  return { samples, values: new Float32Array(values), group: `tier ${tier}` };
}

Deno.test("tierWeights() gives the most frequent tier the share of the rarest, by hand", () => {
  // 6 + 3 + 1 = 10 updates: the tier with 6 weighs 1/10, that with 3 weighs 3/10, with 1 6/10.
  assert.deepEqual(tierWeights([6, 3, 1]), [0.1, 0.3, 0.6]);
  // By counts, whatever the tiers' places.
  assert.deepEqual(tierWeights([1, 6, 3]), [0.6, 0.1, 0.3]);
  assert.deepEqual(tierWeights([5]), [1]);
});

Deno.test("tierWeights() weighs tiers with equally many updates alike", () => {
  // Two tiers with 2 share the places of 1 and 2: 1.5 of 5 each; the one with 1 has 2 of 5.
  assert.deepEqual(tierWeights([2, 1, 2]), [0.3, 0.4, 0.3]);
  assert.deepEqual(tierWeights([4, 4]), [0.5, 0.5]);
});

Deno.test("tierWeights() sum to 1, and permute with the tiers", () => {
  const counts = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 8 });
  fc.assert(fc.property(counts, (given) => {
    const weights = tierWeights(given);
    assert.ok(Math.abs(weights.reduce((sum, one) => sum + one, 0) - 1) < 1e-12);
    assert.deepEqual(tierWeights([...given].reverse()), [...weights].reverse());
  }));
});

Deno.test("fedat of one tier is the average of its clients by samples", async () => {
  const given = [of(1, 100, 1, -2), of(1, 300, 5, 2)];
  assert.deepEqual([...await aggregated(fedat, given)], [4, 1]);
});

Deno.test("fedat weighs the tiers' models by their numbers of updates, as computed by hand", async () => {
  const memory = noMemory();
  const round = (...given: ReturnType<typeof of>[]) => aggregated(fedat, given, { memory });
  assert.deepEqual([...await round(of(1, 10, 8))], [8], "the only tier so far");
  // Counts 1 and 1: half of each.
  assert.deepEqual([...await round(of(2, 10, 4))], [6]);
  // Counts 2 and 1: tier 1 weighs 1/3, tier 2 2/3, whatever the samples: (14 + 2 * 4) / 3.
  assert.deepEqual([...await round(of(1, 999, 14))], [new Float32Array([22 / 3])[0]]);
  assert.deepEqual(memory.state, { counts: { "tier 1": 2, "tier 2": 1 } });
  assert.deepEqual([...memory.kept].map(([name, values]) => [name, ...values]), [
    ["tier 1", 14],
    ["tier 2", 4],
  ]);
});

Deno.test("fedat gives back the weights on which all tiers agree", async () => {
  const tiers = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 12 });
  await fc.assert(fc.asyncProperty(tiers, async (order) => {
    const memory = noMemory();
    let result = new Float32Array();
    for (const tier of order) {
      result = await aggregated(fedat, [of(tier, 3, 1.5, -7)], { memory });
    }
    assert.ok(Math.abs(result[0]! - 1.5) < 1e-6 && Math.abs(result[1]! + 7) < 1e-5);
  }));
});

Deno.test("fedat completes a round with the first tier all of whose clients have answered", () => {
  const at = (n: number, tier: number) => ({ ...updateOf(n, 1), group: `tier ${tier}` });
  const updates = [at(1, 1), at(2, 2), at(3, 2)];
  const ready = (inFlight: ReturnType<typeof at>[], from = updates) =>
    fedat.ready({ inFlight, updates: from, failures: 0 }, {});
  assert.deepEqual(ready([at(4, 1), at(5, 3)]), updates.slice(1), "tier 1 is still at work");
  assert.equal(ready([at(4, 1), at(5, 2)]), null);
  assert.deepEqual(ready([at(5, 3)]), updates.slice(0, 1));
  assert.equal(ready([at(5, 3)], []), null, "a tier whose clients all failed is not complete");
  assert.deepEqual(ready([], []), [], "nobody is left");
});

Deno.test("fedat takes clients that were selected without tiers as one tier", () => {
  const updates = [updateOf(1, 1), updateOf(2, 1)];
  assert.equal(fedat.ready({ inFlight: [updateOf(3, 1)], updates, failures: 0 }, {}), null);
  assert.deepEqual(fedat.ready({ inFlight: [], updates, failures: 0 }, {}), updates);
});
