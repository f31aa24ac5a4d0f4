import assert from "node:assert/strict";
import { FileAccessError, StaleSequenceError, UnreachableError } from "../../src/core/errors.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import { Patience, patientStore } from "../../src/session/patience.ts";
import type { Store } from "../../src/state/store.ts";
import { VirtualClock } from "../fixtures/virtual_clock.ts";

const away = () => new UnreachableError("Cannot reach Redis");

function world(change: (store: Store) => Partial<Store> = () => ({})) {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const told: string[] = [];
  const patience = new Patience({
    clock,
    signal: stop.signal,
    onPause: (reason) => told.push(`paused: ${reason}`),
    onResume: (ms) => told.push(`resumed after ${ms} ms`),
  });
  const inner = openMemoryStore();
  const store = patientStore({ ...inner, ...change(inner) }, patience);
  /** Waits for the outcome while time goes on. */
  const outcome = async <T>(work: Promise<T>): Promise<T> => {
    let isOver = false;
    work.then(() => isOver = true, () => isOver = true);
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve));
      if (isOver) return await work;
      clock.advance(500);
    }
  };
  return { patience, store, inner, told, stop, outcome, clock };
}

Deno.test("Patience tries again until it succeeds, and tells once of the pause and once of its end", async () => {
  const { patience, told, outcome } = world();
  let failures = 3;
  const work = () => failures-- > 0 ? Promise.reject(away()) : Promise.resolve("done");
  assert.equal(await outcome(patience.through(work, 17)), "done");
  assert.deepEqual(told, [
    "paused: Cannot reach Redis (17 bytes are needed)",
    "resumed after 1500 ms",
  ]);
});

Deno.test("Patience lets a fault through that does not pass", async () => {
  const { patience, told } = world();
  for (
    const error of [
      new FileAccessError("the file is damaged or not a database"),
      new StaleSequenceError("s", 1, 2),
      new TypeError("a bug"),
    ]
  ) {
    await assert.rejects(patience.through(() => Promise.reject(error)), error);
  }
  assert.deepEqual(told, []);
});

Deno.test("Patience ends with the last fault when its signal aborts", async () => {
  const { patience, stop, clock } = world();
  const waiting = patience.through(() => Promise.reject(away()));
  await clock.someoneSleeps();
  stop.abort(new Error("stopped"));
  await assert.rejects(waiting, /Cannot reach Redis/);
});

Deno.test("patientStore() takes entries for its own that were appended although the answer was lost", async () => {
  let isLost = true;
  const { store, inner, outcome } = world(({ journal }) => ({
    journal: {
      adopt: (...given) => journal.adopt(...given),
      read: (...given) => journal.read(...given),
      sessions: () => journal.sessions(),
      async append(...given) {
        const appended = await journal.append(...given);
        if (isLost) {
          isLost = false;
          throw away();
        }
        return appended;
      },
    },
  }));
  const [entry] = await outcome(store.journal.append("s", 0, [{ type: "a" }]));
  assert.deepEqual([entry!.seq, entry!.event], [1, { type: "a" }]);
  assert.equal((await inner.journal.read("s")).length, 1);
});

Deno.test("patientStore() does not take another writer's entries for its own", async () => {
  let isFirst = true;
  const { store, outcome } = world(({ journal }) => ({
    journal: {
      adopt: (...given) => journal.adopt(...given),
      read: (...given) => journal.read(...given),
      sessions: () => journal.sessions(),
      async append(session, expectedSeq, events) {
        if (!isFirst) return await journal.append(session, expectedSeq, events);
        isFirst = false;
        await journal.append(session, expectedSeq, [{ type: "foreign" }]);
        throw away();
      },
    },
  }));
  await assert.rejects(
    outcome(store.journal.append("s", 0, [{ type: "a" }])),
    StaleSequenceError,
  );
});

Deno.test("patientStore() waits until there is room for a stream, then asks for it again", async () => {
  let isFull = 2;
  const { store, inner, told, outcome } = world(({ blobs }) => ({
    blobs: {
      get: (id) => blobs.get(id),
      range: (...given) => blobs.range(...given),
      rangeInto: (...given) => blobs.rangeInto(...given),
      size: (id) => blobs.size(id),
      list: () => blobs.list(),
      has: (id) => blobs.has(id),
      delete: (id) => blobs.delete(id),
      async put(source, expected) {
        const stored = await blobs.put(source, expected);
        if (isFull-- <= 0) return stored;
        await blobs.delete(stored.id);
        throw new FileAccessError('Cannot write "state" as no space is left');
      },
    },
  }));
  async function* update() {
    yield await Promise.resolve(new Uint8Array(100_000));
  }
  await assert.rejects(outcome(store.blobs.put(update())), { name: "StoreInterruptedError" });
  assert.match(told[0]!, /"state" as no space is left \(100000 bytes are needed\)/);
  assert.match(told[1]!, /^resumed/);
  const { id } = await store.blobs.put(update());
  assert.equal(await inner.blobs.has(id), true);
});
