import assert from "node:assert/strict";
import fc from "fast-check";
import { JournalError, StaleSequenceError } from "../../src/core/errors.ts";
import type { LiveNote, StreamItem } from "../../src/session/events.ts";
import { SessionJournal } from "../../src/session/session_journal.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import { countedSignal } from "../fixtures/counted_signal.ts";
import { finishedRun, SESSION, started, submitted } from "../fixtures/recorded_run.ts";
import { VirtualClock } from "../fixtures/virtual_clock.ts";

const events = finishedRun.map(({ event }) => event);
const forever = new AbortController().signal;

async function begin() {
  const clock = new VirtualClock();
  const store = openMemoryStore(() => clock.epochMs());
  if (submitted.type !== "session_submitted") throw new TypeError("not a submission");
  return { clock, store, journal: await SessionJournal.begin(store, clock, submitted) };
}

/** A journal after the first `count` events of a whole run. */
async function beginWith(count: number) {
  const world = await begin();
  for (const event of events.slice(1, count)) await world.journal.append(event);
  return world;
}

function note(batchesDone: number): LiveNote {
  const client = { id: "u1", name: "c_1" };
  return { type: "progress", round: 1, client, batchesDone, batchesTotal: 1000, loss: null };
}

function seqs(items: readonly StreamItem[]): number[] {
  return items.flatMap((item) => item.kind === "event" ? [item.entry.seq] : []);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}

Deno.test("SessionJournal.open() folds what begin() and append() have stored", async () => {
  const { store, clock, journal } = await beginWith(events.length);
  const opened = (await SessionJournal.open(store, clock, SESSION))!;
  assert.deepEqual(opened.state, journal.state);
  assert.equal(opened.ended, true);
  assert.equal(await SessionJournal.open(store, clock, "unknown"), null);
});

Deno.test("SessionJournal.append() refuses when another writer was there", async () => {
  const { store, clock, journal } = await begin();
  const other = (await SessionJournal.open(store, clock, SESSION))!;
  await other.append(started);
  await assert.rejects(journal.append(started), StaleSequenceError);
  assert.equal(journal.state.seq, 1);
});

Deno.test("SessionJournal.append() appends nothing after the end", async () => {
  const { store, journal } = await beginWith(events.length);
  const length = (await store.journal.read(SESSION)).length;
  await assert.rejects(journal.append(started), JournalError);
  await assert.rejects(journal.append({ type: "session_failed", reason: "x" }), JournalError);
  assert.equal((await store.journal.read(SESSION)).length, length);
  assert.equal(journal.state.seq, length);
});

Deno.test("SessionJournal.preview() shows the next entry and appends nothing", async () => {
  const { store, clock, journal } = await begin();
  clock.advance(250);
  const { entry, state } = journal.preview(started);
  assert.deepEqual(entry, { seq: 2, at: clock.epochMs(), event: started });
  assert.equal(state.status, "running");
  assert.equal(journal.state.status, "queued");
  assert.equal((await store.journal.read(SESSION)).length, 1);
});

Deno.test("SessionJournal.follow() tells an ended run from any place and ends", async () => {
  const { journal } = await beginWith(events.length);
  for (let afterSeq = 0; afterSeq <= events.length + 3; afterSeq++) {
    const items = await Array.fromAsync(journal.follow(afterSeq, forever));
    assert.deepEqual(seqs(items), range(afterSeq + 1, events.length), `after ${afterSeq}`);
  }
});

Deno.test("SessionJournal.follow() has no gap and no duplicate while events are appended", async () => {
  const given = fc.record({
    /** Events there when the follower comes, where it begins, and how slowly it takes them. */
    there: fc.integer({ min: 1, max: events.length }),
    afterSeq: fc.nat({ max: events.length + 3 }),
    pauses: fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 6 }),
    followers: fc.integer({ min: 1, max: 3 }),
  });
  await fc.assert(fc.asyncProperty(given, async ({ there, afterSeq, pauses, followers }) => {
    const { journal } = await beginWith(there);
    const following = Array.from({ length: followers }, async () => {
      const items: StreamItem[] = [];
      for await (const item of journal.follow(afterSeq, forever)) {
        items.push(item);
        const turns = pauses[items.length % pauses.length]!;
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      }
      return items;
    });
    for (const event of events.slice(there)) {
      journal.note(note(1));
      await journal.append(event);
    }
    for (const items of await Promise.all(following)) {
      assert.deepEqual(seqs(items), range(afterSeq + 1, events.length));
    }
  }));
});

Deno.test("SessionJournal.follow() lets a follower resume from what it has seen", async () => {
  const { journal } = await beginWith(5);
  const first: StreamItem[] = [];
  for await (const item of journal.follow(0, forever)) {
    first.push(item);
    if (first.length === 3) break;
  }
  const rest = Array.fromAsync(journal.follow(3, forever));
  for (const event of events.slice(5)) await journal.append(event);
  assert.deepEqual([...seqs(first), ...seqs(await rest)], range(1, events.length));
});

Deno.test("SessionJournal.follow() costs a slow follower notes, never events", async () => {
  const { journal } = await beginWith(1);
  const follower = journal.follow(0, forever);
  assert.deepEqual(seqs([(await follower.next()).value!]), [1]);
  for (let i = 0; i < 1000; i++) journal.note(note(i));
  for (const event of events.slice(1)) await journal.append(event);
  const items = await Array.fromAsync(follower);
  assert.deepEqual(seqs(items), range(2, events.length));
  const done = items.flatMap((item) =>
    item.kind === "note" && item.note.type === "progress" ? [item.note.batchesDone] : []
  );
  assert.deepEqual(done, range(0, 255));
});

Deno.test("SessionJournal.follow() takes notes again once the follower has caught up", async () => {
  const { journal } = await beginWith(1);
  const follower = journal.follow(0, forever);
  await follower.next();
  for (let i = 0; i < 600; i++) {
    journal.note(note(i));
    assert.deepEqual((await follower.next()).value, { kind: "note", note: note(i) });
  }
  await follower.return(undefined);
});

Deno.test("SessionJournal.follow() ends at the abort of its signal and leaves no listener", async () => {
  const { journal } = await beginWith(3);
  const { controller, signal, listeners } = countedSignal();
  const follower = journal.follow(2, signal);
  assert.deepEqual(seqs([(await follower.next()).value!]), [3]);
  const fourth = follower.next();
  await journal.append(events[3]!);
  assert.deepEqual(seqs([(await fourth).value!]), [4]);
  const fifth = follower.next();
  controller.abort();
  assert.deepEqual(await fifth, { done: true, value: undefined });
  assert.equal(listeners(), 0);
});
