/** Deadlines follow from size and measured speed. */
import assert from "node:assert/strict";
import { LinkSpeed } from "../../src/rpc/link_speed.ts";

const MIB = 1024 * 1024;

Deno.test("LinkSpeed counts on 64 KiB a second before it has measured", () => {
  assert.equal(new LinkSpeed().deadlineMs(64 * MIB), 30_000 + 1024 * 1000);
});

Deno.test("LinkSpeed gives a transfer eight times what the last one of its size took", () => {
  const speed = new LinkSpeed();
  speed.moved(MIB, 1000);
  assert.equal(speed.deadlineMs(2 * MIB), 30_000 + 16_000);
});

Deno.test("LinkSpeed believes a slower transfer at once and a faster one by and by", () => {
  const speed = new LinkSpeed();
  speed.moved(MIB, 1000);
  speed.moved(MIB, 2000);
  assert.equal(speed.deadlineMs(MIB), 30_000 + 16_000);
  // 0.5 + (4.5 - 0.5) / 4 = 1.5 MiB a second, an eighth of which is counted on.
  speed.moved(9 * MIB, 2000);
  assert.equal(speed.deadlineMs(3 * MIB), 30_000 + 16_000);
});

Deno.test("LinkSpeed learns nothing from a few bytes, which measure the way there and back", () => {
  const speed = new LinkSpeed();
  speed.moved(100, 1000);
  assert.equal(speed.deadlineMs(64 * MIB), 30_000 + 1024 * 1000);
});

Deno.test("LinkSpeed gives more time after a missed deadline, and never more than for 8 KiB a second", () => {
  const speed = new LinkSpeed();
  speed.moved(10 * MIB, 100);
  const first = speed.deadlineMs(MIB);
  speed.missed(MIB);
  assert.ok(speed.deadlineMs(MIB) > 2 * first);
  for (let i = 0; i < 10; i++) speed.missed(MIB);
  assert.equal(speed.deadlineMs(MIB), 30_000 + 128_000);
});

Deno.test("LinkSpeed times a transfer from its begin to its end", async () => {
  const speed = new LinkSpeed();
  const transfer = speed.time(8 * MIB);
  const started = performance.now();
  transfer.begin(() => assert.fail("it is in time"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  transfer.moved();
  const tookMs = performance.now() - started;
  const allowedMs = speed.deadlineMs(8 * MIB) - 30_000;
  assert.ok(allowedMs >= 8 * 19 && allowedMs <= 8 * tookMs, `${allowedMs} ms for ${tookMs} ms`);
});
