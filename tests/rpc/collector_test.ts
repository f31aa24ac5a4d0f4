import assert from "node:assert/strict";
import { Collector } from "../../src/rpc/collector.ts";

const MIB = 1024 * 1024;

/** A memory of which a collection leaves `used`, and one of the young `young` more than that. */
function memoryWith(used: number, young = Infinity) {
  const memory = {
    used,
    now: used,
    looks: 0,
    collections: 0,
    youngCollections: 0,
    external() {
      memory.looks++;
      return memory.now;
    },
    collectYoung() {
      memory.youngCollections++;
      memory.now = Math.min(memory.now, memory.used + young);
    },
    collectAll() {
      memory.collections++;
      memory.now = memory.used;
    },
  };
  return memory;
}

Deno.test("Collector collects when buffers have grown by 20 MiB since they were least", () => {
  const memory = memoryWith(10 * MIB);
  const collector = new Collector(memory);
  memory.now = 29 * MIB;
  collector.moved(2 * MIB);
  assert.equal(memory.collections, 0);
  memory.now = 30 * MIB;
  collector.moved(2 * MIB);
  assert.equal(memory.collections, 1);
  // The engine has collected by itself: growth counts from there.
  memory.now = 5 * MIB;
  collector.moved(2 * MIB);
  memory.now = 25 * MIB;
  collector.moved(2 * MIB);
  assert.equal(memory.collections, 2);
});

Deno.test("Collector leaves it at the young when that frees enough of the growth", () => {
  const memory = memoryWith(10 * MIB, 7 * MIB);
  const collector = new Collector(memory);
  memory.now = 30 * MIB;
  collector.moved(2 * MIB);
  assert.deepEqual([memory.youngCollections, memory.collections, memory.now], [1, 0, 17 * MIB]);
  // What it left counts as growth still.
  memory.now = 29 * MIB;
  collector.moved(2 * MIB);
  assert.equal(memory.youngCollections, 1);
  memory.now = 30 * MIB;
  collector.moved(2 * MIB);
  assert.deepEqual([memory.youngCollections, memory.collections], [2, 0]);
});

Deno.test("Collector does not collect again and again what is in use", () => {
  const memory = memoryWith(0);
  const collector = new Collector(memory);
  memory.used = memory.now = 200 * MIB;
  for (let i = 0; i < 10; i++) collector.moved(2 * MIB);
  assert.equal(memory.collections, 1);
});

Deno.test("Collector looks at the memory once for each 2 MiB", () => {
  const memory = memoryWith(0);
  const collector = new Collector(memory);
  const looks = memory.looks;
  for (let i = 0; i < 15; i++) collector.moved(256 * 1024);
  assert.equal(memory.looks, looks + 1);
});

Deno.test("Collector makes the engine collect dead buffers", () => {
  const collector = new Collector();
  let last = new Uint8Array(0);
  const before = Deno.memoryUsage().external;
  for (let i = 0; i < 40; i++) last = new Uint8Array(MIB).fill(i);
  assert.equal(last[0], 39);
  collector.moved(40 * MIB);
  assert(Deno.memoryUsage().external - before < 9 * MIB);
});
