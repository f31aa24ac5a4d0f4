import assert from "node:assert/strict";
import { DeposedError } from "../../src/core/errors.ts";
import { Leadership } from "../../src/state/leadership.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import { isGone, ownIdentity, type ProcessIdentity } from "../../src/state/process_identity.ts";
import { openRedisStore } from "../../src/state/redis.ts";
import { openSqliteStore } from "../../src/state/sqlite.ts";
import type { Store } from "../../src/state/store.ts";
import { RedisServer, redisTest } from "../fixtures/redis.ts";
import { inTempFolder } from "../fixtures/temp_folder.ts";
import { VirtualClock } from "../fixtures/virtual_clock.ts";

/** A process on another machine, of which nothing is known but its beats. */
function elsewhere(pid: number): ProcessIdentity {
  return { hostname: "far", pid, space: `far ${pid}`, started: "1" };
}

/**
 * Leads on a virtual clock that moves while it sleeps on it: not while the store answers, which takes
 * Redis as long as it takes.
 */
async function lead(store: Store, clock: VirtualClock, process: ProcessIdentity) {
  const othersAsleep = clock.sleepers;
  const begun = Leadership.begin(store.leader, { process, clock }, store.description)
    .then((value) => ({ value }), (error) => ({ error }));
  let outcome: Awaited<typeof begun> | null = null;
  void begun.then((now) => outcome = now);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (outcome !== null) break;
    if (clock.sleepers > othersAsleep) clock.advance(100);
  }
  if ("error" in (outcome as object)) throw Reflect.get(outcome as object, "error");
  return Reflect.get(outcome as object, "value") as Leadership;
}

function eachStore(
  name: string,
  body: (open: () => Promise<Store>) => Promise<void>,
): void {
  Deno.test(`sqlite ${name}`, () => inTempFolder((folder) => body(() => openSqliteStore(folder))));
  redisTest(`redis ${name}`, async () => {
    await using server = await RedisServer.start();
    await body(() => openRedisStore("127.0.0.1", server.port));
  });
}

eachStore(
  "refuses a second leader while the first gives signs of life, and names it",
  async (open) => {
    const [first, second] = [await open(), await open()];
    const clock = new VirtualClock();
    const leadership = await lead(first, clock, elsewhere(1));
    await assert.rejects(lead(second, clock, elsewhere(2)), {
      name: "StoreTakenError",
      message:
        /as the server of process 1 on far does: its last sign of life came at 2026-01-01T00:/,
    });
    assert.equal(leadership.deposed.aborted, false);
    await leadership.leave();
    const next = await lead(second, clock, elsewhere(2));
    await next.leave();
    await first.close();
    await second.close();
  },
);

eachStore("fences a former leader off: it can append, set and delete nothing", async (open) => {
  const [first, second] = [await open(), await open()];
  const paused = new VirtualClock();
  await lead(first, paused, elsewhere(1));
  const { id } = await first.blobs.put(new Uint8Array([1, 2, 3]));
  await first.journal.append("s", 0, [{ type: "a" }]);
  await first.records.set("k", 1);
  const clock = new VirtualClock();
  const next = await lead(second, clock, elsewhere(2));
  assert.ok(clock.monotonicMs() >= 5000, "it waits for five seconds without a sign of life");
  const writes = [
    () => first.journal.append("s", 1, [{ type: "b" }]),
    () => first.records.set("k", 2),
    () => first.records.delete("k"),
    () => first.blobs.delete(id),
  ];
  for (const write of writes) {
    await assert.rejects(write, (error) => {
      assert.ok(error instanceof DeposedError);
      assert.match(error.message, /the server of process 2 on far has taken over/);
      return true;
    });
  }
  assert.equal((await second.journal.read("s")).length, 1);
  assert.equal(await second.records.get("k"), 1);
  assert.equal(await second.blobs.has(id), true);
  await second.journal.append("s", 1, [{ type: "b" }]);
  await next.leave();
  await first.close();
  await second.close();
});

eachStore("tells a former leader that it leads no more when it wakes", async (open) => {
  const [first, second] = [await open(), await open()];
  const paused = new VirtualClock();
  const former = await lead(first, paused, elsewhere(1));
  const next = await lead(second, new VirtualClock(), elsewhere(2));
  const told = new Promise((resolve) => former.deposed.addEventListener("abort", resolve));
  paused.advance(1000);
  await told;
  assert.match(String(former.deposed.reason), /process 2 on far has taken over/);
  await next.leave();
  await first.close();
  await second.close();
});

eachStore("takes over at once from a process of this machine that has ended", async (open) => {
  const [first, second] = [await open(), await open()];
  const child = new Deno.Command("true").spawn();
  const { pid } = child;
  await child.status;
  await lead(first, new VirtualClock(), { ...ownIdentity(), pid, started: "1" });
  const clock = new VirtualClock();
  const next = await lead(second, clock, ownIdentity());
  assert.equal(clock.monotonicMs(), 0);
  await next.leave();
  await first.close();
  await second.close();
});

Deno.test("Leadership says so when the store has lost its data", async () => {
  const store = openMemoryStore();
  const clock = new VirtualClock();
  let isLost = false;
  const leader = {
    read: () => isLost ? Promise.resolve(null) : store.leader.read(),
    replace: (...given: Parameters<typeof store.leader.replace>) =>
      isLost ? Promise.resolve(false) : store.leader.replace(...given),
    fence: () => {},
  };
  const leadership = await lead({ ...store, leader }, clock, elsewhere(1));
  isLost = true;
  const told = new Promise((resolve) => leadership.deposed.addEventListener("abort", resolve));
  clock.advance(1000);
  await told;
  assert.match(String(leadership.deposed.reason), /its data are gone/);
});

Deno.test("isGone() is sure of this machine's processes alone", () => {
  const own = ownIdentity();
  assert.equal(isGone(own, own), false);
  assert.equal(isGone({ ...own, started: "another" }, own), true);
  assert.equal(isGone({ ...own, space: "another", pid: 2 ** 22 + 1 }, own), false);
  assert.equal(isGone({ ...own, pid: 2 ** 22 + 1 }, own), true);
});
