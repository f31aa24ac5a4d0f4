import assert from "node:assert/strict";
import { seeded } from "../../src/core/prng.ts";
import { oddEven } from "../../src/selection/odd_even.ts";
import { candidates, viewOf } from "./candidates.ts";

function namesIn(round: number, from = candidates(5), client_fraction = 1): string[] {
  return [...oddEven.select(viewOf(from, { round }), {}, { client_fraction }, seeded(3)).train]
    .sort();
}

Deno.test("odd_even takes odd numbers in odd rounds and even ones in even rounds", () => {
  assert.deepEqual(namesIn(1), ["uuid-1", "uuid-3", "uuid-5"]);
  assert.deepEqual(namesIn(2), ["uuid-2", "uuid-4"]);
  assert.equal(namesIn(3, candidates(10), 0.2).length, 2);
});

Deno.test("odd_even goes by a name's last number, not by who is there", () => {
  assert.deepEqual(namesIn(2, candidates(5).slice(1)), ["uuid-2", "uuid-4"]);
  const named = candidates(3).map((client, i) => ({ ...client, name: "abc"[i]! }));
  assert.deepEqual(namesIn(2, named), ["uuid-2"]);
});

Deno.test("odd_even takes the others when nobody of the round's half is there", () => {
  assert.deepEqual(namesIn(2, candidates(1)), ["uuid-1"]);
  assert.deepEqual(namesIn(2, []), []);
});
