import assert from "node:assert/strict";
import { seeded } from "../../src/core/prng.ts";
import { reliable } from "../../src/selection/reliable.ts";
import type { BusyClient } from "../../src/selection/selector.ts";
import { measured, viewOf } from "./candidates.ts";

const four = [
  measured(1),
  measured(2, { failed: true }),
  measured(3),
  measured(4, { failed: true }),
];
const three = { num_clients_per_round: 3 };

function busy(n: number): BusyClient {
  return { ...measured(n), assignedRound: 1, group: null };
}

Deno.test("reliable drops clients whose last assignment failed, as long as there are others", () => {
  for (let seed = 0; seed < 20; seed++) {
    const { train } = reliable.select(
      viewOf(four),
      { target: 0 },
      { num_clients_per_round: 2 },
      seeded(seed),
    );
    assert.deepEqual([...train].sort(), ["uuid-1", "uuid-3"]);
  }
  const { train, state } = reliable.select(viewOf(four), { target: 0 }, three, seeded(1));
  assert.equal(train.length, 3);
  assert.deepEqual(state, { target: 3 });
});

Deno.test("reliable.refill() replaces exactly those who failed, by reliable clients", () => {
  const refill = (updates: number, atWork: number) =>
    reliable.refill!(
      viewOf(four, { updates, busy: Array.from({ length: atWork }, (_, i) => busy(10 + i)) }),
      { target: 3 },
      three,
      seeded(1),
    ).train;
  assert.deepEqual(refill(1, 2), [], "nobody has failed");
  assert.equal(refill(1, 1).length, 1);
  assert.deepEqual([...refill(0, 0)].sort(), ["uuid-1", "uuid-3"], "no more than there are");
});
