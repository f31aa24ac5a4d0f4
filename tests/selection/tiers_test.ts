import assert from "node:assert/strict";
import * as v from "valibot";
import { SessionFailedError } from "../../src/core/errors.ts";
import { seeded } from "../../src/core/prng.ts";
import { fedat } from "../../src/selection/fedat.ts";
import { drawTier } from "../../src/selection/tier_draw.ts";
import { tieredRoundrobin } from "../../src/selection/tiered_roundrobin.ts";
import { byTier, noTiers, tiersOf } from "../../src/selection/tiers.ts";
import { tifl } from "../../src/selection/tifl.ts";
import { tiflLite } from "../../src/selection/tifl_lite.ts";
import { wardGroups } from "../../src/selection/ward.ts";
import { candidates, measured, viewOf } from "./candidates.ts";

/** The latencies on which the original's clustering was run. */
const six = [20, 1, 5.1, 1.1, 21, 5].map((seconds, i) => measured(i + 1, { seconds }));
const THREE_TIERS = {
  "uuid-2": 0,
  "uuid-4": 0,
  "uuid-6": 1,
  "uuid-3": 1,
  "uuid-1": 2,
  "uuid-5": 2,
};

Deno.test("wardGroups() merges what is closest by Ward's distance, by hand", () => {
  // Of 0, 1 | 10 and 3 the pairs' distances are 1 and then 7 for 3-10, but joining 3 to the pair of
  // mean 0.5 costs sqrt(2 * 2 / 3) * 2.5 = 2.89.
  assert.deepEqual(wardGroups([[0], [1], [10], [3]], 2), [0, 0, 1, 0]);
  assert.deepEqual(wardGroups([[0], [1], [10], [3]], 3), [0, 0, 1, 2]);
  assert.deepEqual(wardGroups([[5], [6]], 9), [0, 1]);
  assert.deepEqual(wardGroups([[5]], 1), [0]);
  assert.deepEqual(wardGroups([], 3), []);
});

Deno.test("tiersOf() numbers tiers from the fastest", () => {
  assert.deepEqual(tiersOf(noTiers, six, 3), { tiers: THREE_TIERS, measured: 6 });
});

Deno.test("tiersOf() keeps the tiers when somebody leaves and forms them anew when somebody comes", () => {
  const before = tiersOf(noTiers, six, 3);
  assert.equal(tiersOf(before, six.slice(2), 3), before);
  const { tiers } = tiersOf(before, [...six, measured(7, { seconds: 5.2 })], 3);
  assert.deepEqual(tiers, { ...THREE_TIERS, "uuid-7": 1 });
});

Deno.test("tiersOf() counts a client that is not measured as fast as the median", () => {
  // Sorted 1, 1.1, 5, 5.1, 20, 21: the fourth.
  const { tiers, measured: known } = tiersOf(noTiers, [...six, measured(7)], 3);
  assert.deepEqual([tiers["uuid-7"], known], [1, 6]);
});

Deno.test("tiersOf() spreads clients while nobody is measured, and sorts them once all are", () => {
  const before = tiersOf(noTiers, candidates(6), 3);
  const sizes = [...byTier(before, candidates(6)).values()].map((members) => members.length);
  assert.deepEqual(sizes, [2, 2, 2]);
  assert.deepEqual(tiersOf(before, six, 3).tiers, THREE_TIERS);
});

Deno.test("tiersOf() refuses more tiers than clients at first, and says what to change", () => {
  assert.throws(() => tiersOf(noTiers, six, 7), (error) => {
    assert.ok(error instanceof SessionFailedError);
    assert.match(error.message, /Cannot form 7 groups of 6 clients: .*num_tiers to at most 6, or /);
    return true;
  });
  // Later clients may leave: a tier more than clients is then no mistake of the config.
  const before = tiersOf(noTiers, six, 6);
  assert.deepEqual(Object.keys(tiersOf(before, [measured(9)], 6).tiers), ["uuid-9"]);
});

Deno.test("fedat asks each tier that owes nothing, and names the tier of each client", () => {
  const args = v.parse(fedat.args, { num_tiers: 3, num_clients_selected_per_tier: 1 });
  const first = fedat.select(viewOf(six), noTiers, args, seeded(1));
  assert.deepEqual(Object.values(first.groups!).sort(), ["tier 1", "tier 2", "tier 3"]);
  for (const id of first.train) {
    const tier = THREE_TIERS[id as keyof typeof THREE_TIERS];
    assert.equal(first.groups![id], `tier ${tier + 1}`);
  }
  assert.deepEqual(first.spares, [], "one of another tier would be no replacement");
  const busy = ["tier 1", "tier 3"].map((group, i) => ({
    ...six[i]!,
    assignedRound: 1,
    group,
  }));
  const next = fedat.refill!(viewOf(six.slice(2), { busy }), first.state, args, seeded(1));
  assert.deepEqual(Object.values(next.groups!), ["tier 2"]);
});

Deno.test("fedat takes of each tier as many as the smallest has, unless it is told", () => {
  const seven = [...six, measured(7, { seconds: 1.05 })];
  const sizes = (given: Record<string, unknown>, from = seven) =>
    fedat.select(viewOf(from), noTiers, v.parse(fedat.args, given), seeded(1)).train.length;
  assert.equal(sizes({ num_tiers: 3 }), 6);
  assert.equal(sizes({ num_tiers: 3, num_clients_selected_per_tier: 3 }), 7);
  assert.equal(sizes({}), 7);
  assert.equal(sizes({}, six.slice(0, 1)), 1, "one client");
  assert.equal(sizes({ num_tiers: 3 }, []), 0);
});

Deno.test("drawTier() prefers tiers with low accuracy: 2/3, 1/3 and 0 of three, by hand", () => {
  const tiers = new Map([
    [0, [measured(1, { loss: 1, accuracy: 0.9 })]],
    [1, [measured(2, { loss: 1, accuracy: 0.5 })]],
    [2, [measured(3, { loss: 1, accuracy: 0.7 })]],
  ]);
  const counts = [0, 0, 0];
  for (let seed = 0; seed < 3000; seed++) counts[drawTier(tiers, seeded(seed))]! += 1;
  assert.equal(counts[0], 0);
  assert.ok(Math.abs(counts[1]! - 2000) < 100 && Math.abs(counts[2]! - 1000) < 100, `${counts}`);
});

Deno.test("drawTier() goes by the loss of models that do not classify, and takes an unknown tier for bad", () => {
  const two = (a: ReturnType<typeof measured>, b: ReturnType<typeof measured>) =>
    new Map([[0, [a]], [1, [b]]]);
  for (let seed = 0; seed < 20; seed++) {
    const prng = () => seeded(seed);
    assert.equal(drawTier(two(measured(1, { loss: 2 }), measured(2, { loss: 1 })), prng()), 0);
    assert.equal(drawTier(two(measured(1, { loss: 2 }), measured(2)), prng()), 1);
    assert.equal(drawTier(new Map([[4, [measured(1)]]]), prng()), 4, "the only one");
  }
});

const tiflArgs = v.parse(tifl.args, { num_tiers: 3, num_clients: 1, credits_per_tier: 2 });

Deno.test("tifl draws clients of one tier, and spends its credits", () => {
  let state = tifl.initial(tiflArgs);
  const drawn: number[] = [];
  for (let round = 1; round <= 6; round++) {
    const chosen = tifl.select(viewOf(six, { round }), state, tiflArgs, seeded(round));
    state = chosen.state;
    const tiers = chosen.spares!.map((id) => THREE_TIERS[id as keyof typeof THREE_TIERS]);
    assert.equal(new Set(tiers).size, 1);
    assert.equal(chosen.train.length, 1);
    assert.ok(chosen.spares!.includes(chosen.train[0]!));
    drawn.push(tiers[0]!);
  }
  // Six rounds are all the credits of three tiers.
  assert.deepEqual(drawn.sort(), [0, 0, 1, 1, 2, 2]);
  assert.deepEqual(state.credits, [0, 0, 0]);
  const next = tifl.select(viewOf(six, { round: 7 }), state, tiflArgs, seeded(7));
  assert.deepEqual([...next.state.credits].sort(), [1, 2, 2], "all get theirs anew");
});

Deno.test("tifl does without a tier of which nobody is there", () => {
  const state = { ...tiersOf(noTiers, six, 3), credits: [2, 2, 2] };
  const slow = six.filter(({ id }) => id === "uuid-1" || id === "uuid-5");
  for (let seed = 0; seed < 10; seed++) {
    const { train, state: after } = tifl.select(viewOf(slow), state, tiflArgs, seeded(seed));
    assert.ok(["uuid-1", "uuid-5"].includes(train[0]!));
    assert.deepEqual(after.credits, [2, 2, 1]);
  }
});

Deno.test("tifl has everybody validate before the rounds of its interval, the first among them", () => {
  const args = v.parse(tifl.args, { num_tiers: 3, validation_round_interval: 2 });
  const asked = (round: number) => tifl.validate!(viewOf(six, { round }), tifl.initial(args), args);
  assert.deepEqual([1, 2, 3, 4].map((round) => asked(round).length), [6, 0, 6, 0]);
});

Deno.test("tifl_lite takes everybody in round 1, then a part of one tier", () => {
  const args = v.parse(tiflLite.args, { num_tiers: 3, percentage_client_selection: 50 });
  const first = tiflLite.select(viewOf(six), noTiers, args, seeded(1));
  assert.equal(first.train.length, 6);
  const next = tiflLite.select(viewOf(six, { round: 2 }), first.state, args, seeded(1));
  assert.equal(next.train.length, 1);
  assert.equal(next.spares!.length, 2);
});

Deno.test("tiered_roundrobin gives the tiers their turns, the fastest clients first", () => {
  const args = v.parse(tieredRoundrobin.args, { num_tiers: 3, percentage_client_selection: 50 });
  let state = tieredRoundrobin.initial(args);
  const train: (readonly string[])[] = [];
  for (let round = 1; round <= 5; round++) {
    // In round 4 nobody of the slowest tier is there.
    const here = round === 4 ? six.filter(({ id }) => THREE_TIERS[id as "uuid-1"] !== 2) : six;
    const chosen = tieredRoundrobin.select(viewOf(here, { round }), state, args, seeded(round));
    state = chosen.state;
    train.push(chosen.train);
  }
  assert.equal(train[0]!.length, 6);
  assert.deepEqual(train.slice(1), [["uuid-2"], ["uuid-6"], ["uuid-2"], ["uuid-6"]]);
});
