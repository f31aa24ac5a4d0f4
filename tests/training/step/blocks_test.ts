/** Blocks of samples: how many there are, and where their numbers lie. */
import assert from "node:assert/strict";
import { blockBytes, blockPlaces, blocksFor } from "../../../src/training/step/blocks.ts";

Deno.test("blocksFor() has a block for each thread if all get as many vectors of samples", () => {
  assert.equal(blocksFor(32, 1), 1);
  assert.equal(blocksFor(32, 2), 2);
  assert.equal(blocksFor(32, 4), 4);
  // 8 vectors for 3 threads, 5 for 2.
  assert.equal(blocksFor(32, 3), 1);
  assert.equal(blocksFor(20, 2), 1);
});

Deno.test("blockBytes() are whole pairs of lines if there are several blocks", () => {
  assert.equal(blockBytes(3, 20, 1), 240);
  // 3 numbers of 16 samples are 192 bytes.
  assert.equal(blockBytes(3, 32, 2), 256);
  assert.equal(blockBytes(4, 32, 2), 256);
});

Deno.test("blockPlaces() names the samples of each block and where they begin", () => {
  const common = { count: 16, perItem: 1, perUnit: 16 };
  assert.deepEqual(blockPlaces(1024, 3, 32, 2), [
    { first: 0, start: 256, ...common },
    { first: 16, start: 256 + 64, ...common },
  ]);
  assert.deepEqual(blockPlaces(1024, 3, 20, 1), [
    { first: 0, start: 256, count: 20, perItem: 1, perUnit: 20 },
  ]);
});
