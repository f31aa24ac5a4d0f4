import assert from "node:assert/strict";
import fc from "fast-check";
import { byName, type ClientRef } from "../../src/core/ids.ts";

function named(name: string, id = "id"): ClientRef {
  return { id, name };
}

/** Names that meet in text, digits, leading zeros and digits beyond exact numbers. */
const names = fc.array(
  fc.oneof(
    fc.constantFrom("", "a", "w_", "-", "0", "00", "1", "01", "10", "9007199254740993", "x"),
    fc.constant("9007199254740992"),
    fc.constant("9".repeat(400)),
    fc.string({ maxLength: 3 }),
  ),
  { maxLength: 4 },
).map((parts) => parts.join(""));
const refs = fc.record({ id: fc.constantFrom("p", "q", "r"), name: names });

Deno.test("byName() orders numbers in names by value, ties by id", () => {
  const sorted = [
    named("w_1"),
    named("w_2", "a"),
    named("w_2", "b"),
    named("w_10"),
    named("w_10a"),
    named("w_10b2"),
    named("w_10b10"),
    named("x"),
  ];
  assert.deepEqual(sorted.toReversed().sort(byName), sorted);
});

Deno.test("byName() tells equal numbers of different spelling apart", () => {
  assert.equal(Math.sign(byName(named("w_01"), named("w_1"))), -1);
  const [low, high] = ["9007199254740992", "9007199254740993"];
  assert.equal(Math.sign(byName(named(low), named(high))), -1);
});

Deno.test("byName() is a total order: antisymmetric, transitive, zero only for the same", () => {
  fc.assert(
    fc.property(refs, refs, refs, (a, b, c) => {
      const [ab, ba] = [byName(a, b), byName(b, a)];
      assert.equal(Math.sign(ab) + Math.sign(ba), 0);
      assert.equal(ab === 0, a.id === b.id && a.name === b.name);
      if (ab <= 0 && byName(b, c) <= 0) assert.ok(byName(a, c) <= 0);
    }),
    { numRuns: 2000 },
  );
});
