/** The local split. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { splitIndices } from "../../src/training/split.ts";

Deno.test("splitIndices() gives each item to exactly one side, 95 % to training", () => {
  fc.assert(fc.property(fc.nat(500), fc.nat(), (count, seed) => {
    const { train, test } = splitIndices(count, seed);
    assert.deepEqual(
      [...train, ...test].sort((a, b) => a - b),
      Array.from({ length: count }, (_, index) => index),
    );
    // 1 item must train: floor(0.95) would leave none.
    assert.equal(train.length, count === 1 ? 1 : Math.floor(0.95 * count));
  }));
});

Deno.test("splitIndices() depends on the seed and on nothing else", () => {
  assert.deepEqual(splitIndices(300, 7), splitIndices(300, 7));
  assert.notDeepEqual(splitIndices(300, 7).test, splitIndices(300, 8).test);
});
