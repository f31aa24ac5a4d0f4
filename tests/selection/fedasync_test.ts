import assert from "node:assert/strict";
import { seeded } from "../../src/core/prng.ts";
import { fedasync } from "../../src/selection/fedasync.ts";
import { candidates, measured, viewOf } from "./candidates.ts";

function added(idle: number, busy: number, size: Parameters<typeof fedasync.select>[2]): number {
  const atWork = Array.from({ length: busy }, (_, i) => ({
    ...measured(100 + i),
    assignedRound: 1,
    group: null,
  }));
  const view = viewOf(candidates(idle), { round: 5, busy: atWork });
  const { train } = fedasync.select(view, {}, size, seeded(2));
  assert.deepEqual(fedasync.refill!(view, {}, size, seeded(2)).train, train);
  return train.length;
}

Deno.test("fedasync keeps its number of clients at work", () => {
  const half = { client_fraction: 0.5 };
  assert.equal(added(10, 0, half), 5);
  assert.equal(added(6, 4, half), 1);
  assert.equal(added(5, 5, half), 0);
  assert.equal(added(3, 5, { num_clients_per_round: 4 }), 0, "more at work than wanted");
  assert.equal(added(1, 0, half), 1, "one client");
  assert.equal(added(0, 0, half), 0);
  assert.equal(added(0, 3, { client_fraction: 1 }), 0);
});
