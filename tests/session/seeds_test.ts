import assert from "node:assert/strict";
import { initialWeightsSeed, roundSeed, trainingSeed } from "../../src/session/seeds.ts";

Deno.test("seeds of a run differ by purpose, round and client, and repeat", () => {
  const seedsOf = (session: number) => [
    initialWeightsSeed(session),
    roundSeed(session, 1),
    roundSeed(session, 2),
    trainingSeed(roundSeed(session, 1), "c_1"),
    trainingSeed(roundSeed(session, 1), "c_2"),
    trainingSeed(roundSeed(session, 2), "c_1"),
  ];
  const all = [...seedsOf(7), ...seedsOf(8)];
  assert.equal(new Set(all).size, all.length);
  assert.ok(all.every((seed) => Number.isInteger(seed) && seed >= 0 && seed <= 0xffff_ffff));
  assert.deepEqual(seedsOf(7), all.slice(0, 6));
});
