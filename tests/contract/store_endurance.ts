/**
 * What a store must bear, as tests: many writers, many events, many bytes, a process that is not the
 * one that wrote, and a loss of power that takes the end of what was written.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { StaleSequenceError } from "../../src/core/errors.ts";
import { openStore } from "../../src/state/open.ts";
import type { JournalEntry, Store, StoreOptions } from "../../src/state/store.ts";

/** Where a store keeps its things during one test. */
export interface EndurancePlace extends AsyncDisposable {
  readonly options: StoreOptions;
  /**
   * Ends, as by a loss of power, what keeps the store's things, and cuts off the last bytes of what
   * was written last. Null for a store that ends with its process.
   */
  readonly loseTail: ((bytes: number) => Promise<void>) | null;
}

/** A kind of store and how much it must bear. */
export interface EnduranceKind {
  readonly name: string;
  /** Bytes of blobs to put and read, and bytes by which the process may grow meanwhile. */
  readonly blobs: { readonly bytes: number; readonly growth: number };
  readonly test: (name: string, body: () => Promise<void>) => void;
  place(): Promise<EndurancePlace>;
}

const EVENTS = 100_000;
const BATCH = 100;
const MIB = 1024 * 1024;
/** Blobs of this size make up the many bytes. */
const BLOB_BYTES = 64 * MIB;
const READER = fileURLToPath(new URL("./read_store.ts", import.meta.url));

/** Registers the tests for one kind of store. */
export function testEndurance({ name, blobs, test, place }: EnduranceKind): void {
  /** A test with an open store. */
  function enduranceTest(
    what: string,
    body: (store: Store, place: EndurancePlace) => Promise<void>,
  ): void {
    test(`${name} store: ${what}`, async () => {
      await using where = await place();
      const store = await openStore(where.options);
      try {
        await body(store, where);
      } finally {
        await store.close();
      }
    });
  }

  enduranceTest("append() lets one of eight writers win, again and again", async (store, where) => {
    const isShared = where.loseTail !== null;
    const others = await Promise.all(
      Array.from({ length: 7 }, () => isShared ? openStore(where.options) : store),
    );
    try {
      for (let seq = 0; seq < 50; seq++) {
        const outcomes = await Promise.allSettled(
          [store, ...others].map(({ journal }, writer) =>
            journal.append("run", seq, [{ type: "a", writer }])
          ),
        );
        const won = outcomes.flatMap((outcome) =>
          outcome.status === "fulfilled" ? outcome.value : []
        );
        assert.equal(won.length, 1, `${won.length} writers have won entry ${seq + 1}`);
        for (const outcome of outcomes) {
          if (outcome.status === "fulfilled") continue;
          assert.ok(outcome.reason instanceof StaleSequenceError, String(outcome.reason));
        }
        assert.deepEqual((await store.journal.read("run")).at(-1), won[0]);
      }
    } finally {
      if (isShared) { for (const other of others) await other.close(); }
    }
  });

  enduranceTest("a journal of 100,000 events is whole and in order", async ({ journal }) => {
    for (let seq = 0; seq < EVENTS; seq += BATCH) {
      const events = Array.from({ length: BATCH }, (_, i) => ({ type: "a", place: seq + i + 1 }));
      await journal.append("run", seq, events);
    }
    await journal.append("other", 0, [{ type: "b" }]);
    const entries = await journal.read("run") as JournalEntry<{ type: string; place: number }>[];
    assert.equal(entries.length, EVENTS);
    assert.ok(entries.every(({ seq, event }, i) => seq === i + 1 && event.place === seq));
    const last = await journal.read("run", EVENTS - 3);
    assert.deepEqual(last.map(({ seq }) => seq), [EVENTS - 2, EVENTS - 1, EVENTS]);
    assert.deepEqual(await journal.sessions(), ["run", "other"]);
    await assert.rejects(journal.append("run", EVENTS - 1, [{ type: "a" }]), StaleSequenceError);
  });

  enduranceTest(
    `${blobs.bytes / MIB} MiB of blobs stream through, and read back by parts`,
    async (store) => {
      const before = Deno.memoryUsage().rss;
      let peak = before;
      const ids: string[] = [];
      for (let n = 0; n * BLOB_BYTES < blobs.bytes; n++) {
        const { id, bytes } = await store.blobs.put(pieces(n));
        assert.equal(bytes, BLOB_BYTES);
        ids.push(id);
        peak = Math.max(peak, Deno.memoryUsage().rss);
      }
      for (const [n, id] of ids.entries()) {
        const hash = createHash("sha256");
        for (let at = 0; at < BLOB_BYTES; at += MIB) {
          const part = await store.blobs.range(id, at, MIB);
          if (at === 0) assert.deepEqual(part!.subarray(0, 4), firstBytes(n));
          hash.update(part!);
        }
        assert.equal(hash.digest("hex"), id);
        peak = Math.max(peak, Deno.memoryUsage().rss);
      }
      const growth = (peak - before) / MIB;
      assert.ok(growth < blobs.growth / MIB, `the process has grown by ${Math.round(growth)} MiB`);
      for (const id of ids) await store.blobs.delete(id);
      for (const id of ids) assert.equal(await store.blobs.has(id), false);
    },
  );

  if (name === "memory") return;

  enduranceTest("another process reads all and goes on writing", async (store, where) => {
    const entries = await store.journal.append("run", 0, [{ type: "a" }, { type: "b" }]);
    const { id } = await store.blobs.put(new TextEncoder().encode("weights"));
    await store.records.set("key", ["value"]);
    const seen = await readElsewhere(where.options, id);
    assert.deepEqual(seen, { entries, blob: "weights", record: ["value"] });
    const after = await store.journal.read("run", 2);
    assert.deepEqual(after.map(({ seq, event }) => [seq, event.type]), [[3, "from elsewhere"]]);
    await assert.rejects(store.journal.append("run", 2, [{ type: "c" }]), StaleSequenceError);
    await store.journal.append("run", 3, [{ type: "c" }]);
  });

  enduranceTest("a torn tail costs the last appends and nothing else", async (store, where) => {
    const appended: JournalEntry[] = [];
    for (let seq = 0; seq < 20; seq++) {
      appended.push(...await store.journal.append("run", seq, [{ type: "a" }]));
    }
    const { id } = await store.blobs.put(new TextEncoder().encode("weights"));
    let before = appended.length;
    // Each time a bit more is lost: within the last append, then beyond it.
    for (const bytes of [1, 7, 5000]) {
      await where.loseTail!(bytes);
      const again = await openStore(where.options);
      try {
        const entries = await again.journal.read("run");
        assert.deepEqual(entries, appended.slice(0, entries.length));
        assert.ok(entries.length <= before, `${entries.length} entries, and ${before} before`);
        before = entries.length;
        if (await again.blobs.has(id)) {
          assert.deepEqual(await again.blobs.get(id), new TextEncoder().encode("weights"));
        }
      } finally {
        await again.close();
      }
    }
    const last = await openStore(where.options);
    try {
      await last.journal.append("run", before, [{ type: "goes on" }]);
      assert.equal((await last.journal.read("run")).length, before + 1);
    } finally {
      await last.close();
    }
  });
}

/** A blob's bytes, a MiB at a time; blobs of different numbers differ. */
async function* pieces(blob: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < BLOB_BYTES; at += MIB) {
    const piece = new Uint8Array(MIB);
    piece.set([blob, at / MIB, 1, 2]);
    yield await Promise.resolve(piece);
  }
}

function firstBytes(blob: number): Uint8Array {
  return Uint8Array.of(blob, 0, 1, 2);
}

async function readElsewhere(options: StoreOptions, blob: string): Promise<unknown> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", READER, JSON.stringify(options), blob],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
