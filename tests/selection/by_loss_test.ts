import assert from "node:assert/strict";
import * as v from "valibot";
import { seeded } from "../../src/core/prng.ts";
import { highLoss, lowLoss } from "../../src/selection/by_loss.ts";
import { latestLoss } from "../../src/selection/loss.ts";
import { probabilisticHighLoss } from "../../src/selection/probabilistic_high_loss.ts";
import { candidates, measured, viewOf } from "./candidates.ts";

const half = v.parse(highLoss.args, { percentage_client_selection: 50 });
const four = [
  measured(1, { loss: 0.4 }),
  measured(2, { loss: 0.9 }),
  measured(3, { loss: 0.1 }),
  measured(4, { loss: 0.6 }),
];

Deno.test("high_loss and low_loss take everybody in round 1, then the ends of the order", () => {
  const first = highLoss.select(viewOf(candidates(4)), {}, half, seeded(1));
  assert.equal(first.train.length, 4);
  const view = viewOf(four, { round: 2 });
  assert.deepEqual(highLoss.select(view, {}, half, seeded(1)).train, ["uuid-2", "uuid-4"]);
  assert.deepEqual(lowLoss.select(view, {}, half, seeded(1)).train, ["uuid-3", "uuid-1"]);
});

Deno.test("high_loss and low_loss ask clients of unknown loss first", () => {
  const view = viewOf([...four, measured(5)], { round: 2 });
  for (const selector of [highLoss, lowLoss]) {
    assert.equal(selector.select(view, {}, half, seeded(1)).train[0], "uuid-5");
  }
});

Deno.test("latestLoss() is that of a validation which is at least as new as the training", () => {
  const validation = { round: 3, loss: 0.2 };
  assert.equal(latestLoss(measured(1, { loss: 0.5, round: 3, validation })), 0.2);
  assert.equal(latestLoss(measured(1, { loss: 0.5, round: 4, validation })), 0.5);
  assert.equal(latestLoss(measured(1, { validation })), 0.2);
  assert.equal(latestLoss(measured(1)), null);
  assert.equal(latestLoss(measured(1, { loss: NaN })), null);
});

Deno.test("strategies by loss have clients validate at the interval they are told, not by default", () => {
  const ids = four.map(({ id }) => id);
  const asked = (round: number, given: Record<string, unknown>) =>
    highLoss.validate!(viewOf(four, { round }), {}, v.parse(highLoss.args, given));
  assert.deepEqual([1, 2, 3].map((round) => asked(round, {})), [[], [], []]);
  const everySecond = { validation_round_interval: 2 };
  assert.deepEqual([1, 2, 3, 4, 5].map((round) => asked(round, everySecond)), [
    [],
    [],
    ids,
    [],
    ids,
  ]);
});

Deno.test("probabilistic_high_loss draws in proportion to the loss", () => {
  const one = v.parse(probabilisticHighLoss.args, { num_clients_per_round: 1 });
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 4000; seed++) {
    const [id] =
      probabilisticHighLoss.select(viewOf(four, { round: 2 }), {}, one, seeded(seed)).train;
    counts.set(id!, (counts.get(id!) ?? 0) + 1);
  }
  // Losses 0.4, 0.9, 0.1, 0.6 of 2 in all; three standard deviations of 4000 draws are below 100.
  for (const [id, expected] of [["1", 800], ["2", 1800], ["3", 200], ["4", 1200]] as const) {
    assert.ok(Math.abs(counts.get(`uuid-${id}`)! - expected) < 100, `${id}: ${counts}`);
  }
});

Deno.test("probabilistic_high_loss draws uniformly where nothing is known or all is 0", () => {
  const two = v.parse(probabilisticHighLoss.args, { num_clients_per_round: 2 });
  for (const from of [candidates(3), [1, 2, 3].map((n) => measured(n, { loss: 0 }))]) {
    const seen = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const { train } = probabilisticHighLoss.select(
        viewOf(from, { round: 2 }),
        {},
        two,
        seeded(seed),
      );
      assert.equal(new Set(train).size, 2);
      for (const id of train) seen.add(id);
    }
    assert.equal(seen.size, 3);
  }
});
