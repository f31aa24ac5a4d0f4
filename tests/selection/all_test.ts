import assert from "node:assert/strict";
import fc from "fast-check";
import * as v from "valibot";
import { seeded } from "../../src/core/prng.ts";
import { all } from "../../src/selection/all.ts";
import { SELECTOR_NAMES, selectors } from "../../src/selection/registry.ts";
import { anyCandidates, viewOf } from "./candidates.ts";

Deno.test("all.args takes no arguments", () => {
  assert.deepEqual(v.parse(all.args, {}), {});
  const { issues } = v.safeParse(all.args, { client_fraction: 0.5 });
  assert.match(issues![0]!.message, /Expected never but received "client_fraction"/);
});

Deno.test("all.select() takes every candidate in order of name, whatever the seed", () => {
  fc.assert(fc.property(anyCandidates, fc.nat(), (candidates, seed) => {
    const chosen = all.select(viewOf(candidates, { round: 2 }), {}, {}, seeded(seed));
    assert.deepEqual(chosen, { train: candidates.map(({ id }) => id), state: {} });
  }));
});

Deno.test("selectors has the original's names for the same strategies", () => {
  assert.deepEqual(Object.keys(selectors).sort(), [...SELECTOR_NAMES].sort());
  assert.equal(selectors.fedavg, selectors.random);
  assert.equal(selectors.all_clients, selectors.all);
});
