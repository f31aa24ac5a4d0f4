/** The contract of a store as tests; each of the three stores must pass all of them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { StaleSequenceError } from "../../src/core/errors.ts";
import type { Json } from "../../src/core/json.ts";
import type { JournalEvent, Store } from "../../src/state/store.ts";

/** Where a store keeps its things during one test. */
export interface StorePlace extends AsyncDisposable {
  /** Opens the store there; twice gives two stores on the same things, if the place keeps them. */
  open(): Promise<Store>;
  /** Names of what an unfinished `put` has left. */
  leftovers(): Promise<string[]>;
}

/** A kind of store and how the suite tests it. */
export interface StoreKind {
  readonly name: string;
  /** False for a store whose content ends with it. */
  readonly keeps: boolean;
  /** Registers a test, or skips it and says so by name. */
  readonly test: (name: string, body: () => Promise<void>) => void;
  place(): Promise<StorePlace>;
}

/** Registers the whole suite for one kind of store. */
export function testStore(kind: StoreKind): void {
  /** A test with an open store. */
  function test(name: string, body: (store: Store, place: StorePlace) => Promise<void>): void {
    kind.test(`${kind.name} store: ${name}`, async () => {
      await using place = await kind.place();
      const store = await place.open();
      try {
        await body(store, place);
      } finally {
        await store.close();
      }
    });
  }

  test("append() returns entries numbered from 1, and read() gives them back", async ({ journal }) => {
    const before = Date.now();
    const first = await journal.append("run", 0, [event("a"), event("b", 2)]);
    const second = await journal.append("run", 2, [event("c", { deep: [null, true] })]);
    const after = Date.now();
    assert.deepEqual(first.map(({ seq, event }) => [seq, event]), [
      [1, { type: "a", value: null }],
      [2, { type: "b", value: 2 }],
    ]);
    assert.deepEqual(await journal.read("run"), [...first, ...second]);
    for (const { at } of await journal.read("run")) {
      assert.ok(before <= at && at <= after, `${at} is not in [${before}, ${after}]`);
    }
  });

  test("read() gives only what follows afterSeq", async ({ journal }) => {
    await journal.append("run", 0, [event("a"), event("b"), event("c")]);
    assert.deepEqual((await journal.read("run", 1)).map(({ seq }) => seq), [2, 3]);
    assert.deepEqual(await journal.read("run", 3), []);
    assert.deepEqual(await journal.read("run", 99), []);
    assert.deepEqual(await journal.read("unknown"), []);
  });

  test("append() refuses another sequence number and says both", async ({ journal }) => {
    await journal.append("run", 0, [event("a"), event("b")]);
    for (const expected of [0, 1, 3]) {
      await assert.rejects(journal.append("run", expected, [event("c")]), (error) => {
        assert.ok(error instanceof StaleSequenceError);
        assert.deepEqual([error.sessionId, error.expected, error.actual], ["run", expected, 2]);
        return true;
      });
    }
    assert.equal((await journal.read("run")).length, 2);
  });

  test("append() of no events changes nothing, but checks the number", async ({ journal }) => {
    assert.deepEqual(await journal.append("run", 0, []), []);
    assert.deepEqual(await journal.sessions(), []);
    await assert.rejects(journal.append("run", 1, []), StaleSequenceError);
  });

  test("append() lets exactly one of two racing writers win", async (store, place) => {
    const other = kind.keeps ? await place.open() : store;
    try {
      for (let seq = 0; seq < 20; seq++) {
        const outcomes = await Promise.allSettled([
          store.journal.append("run", seq, [event("mine", seq)]),
          other.journal.append("run", seq, [event("theirs", seq)]),
        ]);
        assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
        const lost = outcomes.find((outcome) => outcome.status === "rejected")!;
        assert.ok(lost.reason instanceof StaleSequenceError, String(lost.reason));
      }
      assert.equal((await store.journal.read("run")).length, 20);
    } finally {
      if (other !== store) await other.close();
    }
  });

  test("append() keeps what a value was, whatever happens to it later", async ({ journal }) => {
    const value = { list: [1, 2] };
    await journal.append("run", 0, [event("a", value)]);
    value.list.push(3);
    const [entry] = await journal.read("run");
    assert.deepEqual(entry?.event, { type: "a", value: { list: [1, 2] } });
  });

  test("append() takes a large event and many at once", async ({ journal }) => {
    const large = "x".repeat(3_000_000);
    await journal.append("large", 0, [event("a", large)]);
    assert.deepEqual((await journal.read("large"))[0]?.event, { type: "a", value: large });
    const many = Array.from({ length: 10_000 }, (_, i) => event("a", i));
    await journal.append("many", 0, many);
    assert.deepEqual((await journal.read("many", 9_999))[0]?.event, { type: "a", value: 9_999 });
  });

  test("append() and read() round-trip any JSON and any session id", async ({ journal }) => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.jsonValue()), async (id, values) => {
        const session = `${run++} ${id}`;
        const events = values.map((value) => event("value", asJson(value)));
        await journal.append(session, 0, events);
        assert.deepEqual((await journal.read(session)).map(({ event }) => event), events);
        if (events.length > 0) assert.equal((await journal.sessions()).at(-1), session);
      }),
      { numRuns: 50 },
    );
  });

  test("adopt() stores a journal with its times, once", async ({ journal }) => {
    const entries = [
      { seq: 1, at: 1000, event: event("a") },
      { seq: 2, at: 2000, event: event("b", 2) },
    ];
    await journal.adopt("run", entries);
    assert.deepEqual(await journal.read("run"), entries);
    assert.deepEqual(await journal.sessions(), ["run"]);
    await assert.rejects(journal.adopt("run", entries), StaleSequenceError);
    const [next] = await journal.append("run", 2, [event("c")]);
    assert.equal(next!.seq, 3);
  });

  test("list() and size() know each blob and its bytes", async ({ blobs }) => {
    assert.deepEqual(await blobs.list(), []);
    const stored = [await blobs.put(new Uint8Array(3)), await blobs.put(new Uint8Array(300_000))];
    const byId = (a: { id: string }, b: { id: string }) => a.id < b.id ? -1 : 1;
    assert.deepEqual((await blobs.list()).sort(byId), stored.sort(byId));
    for (const { id, bytes } of stored) assert.equal(await blobs.size(id), bytes);
    assert.equal(await blobs.size("0".repeat(64)), null);
  });

  test("sessions() lists ids in order of their first entry", async ({ journal }) => {
    for (const id of ["zebra", "ant", "übung"]) await journal.append(id, 0, [event("a")]);
    await journal.append("zebra", 1, [event("b")]);
    assert.deepEqual(await journal.sessions(), ["zebra", "ant", "übung"]);
  });

  test("put() names bytes by their SHA-256", async ({ blobs }) => {
    // The digest of "abc" as FIPS 180-4 publishes it.
    const id = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert.equal(await blobs.has(id), false);
    assert.deepEqual(await blobs.put(bytesOf("abc")), { id, bytes: 3 });
    assert.equal(await blobs.has(id), true);
    assert.deepEqual(await blobs.get(id), bytesOf("abc"));
  });

  test("put() takes a stream, in chunks of any size", async ({ blobs }, place) => {
    const bytes = pattern(1_000_003);
    const stored = await blobs.put(inChunks(bytes, [1, 262_144, 5, 700_000, 0]));
    assert.deepEqual(stored, { id: sha256(bytes), bytes: 1_000_003 });
    assertSame(await blobs.get(stored.id), bytes);
    assert.deepEqual(await place.leftovers(), []);
  });

  test("put() keeps the bytes, whatever happens to their buffer later", async ({ blobs }) => {
    const bytes = bytesOf("abc");
    const { id } = await blobs.put(bytes);
    bytes.fill(0);
    (await blobs.get(id))!.fill(1);
    assert.deepEqual(await blobs.get(id), bytesOf("abc"));
  });

  test("put() stores no bytes as a blob", async ({ blobs }) => {
    const { id, bytes } = await blobs.put(new Uint8Array());
    assert.deepEqual([id, bytes], [sha256(new Uint8Array()), 0]);
    assert.equal(await blobs.has(id), true);
    assert.deepEqual(await blobs.get(id), new Uint8Array());
    assert.deepEqual(await blobs.range(id, 0, 10), new Uint8Array());
    assert.deepEqual(await blobs.put(inChunks(new Uint8Array(), [])), { id, bytes: 0 });
  });

  test(
    "put() of the same content twice, even at once, gives one blob",
    async ({ blobs }, place) => {
      const bytes = pattern(300_000);
      const [a, b] = await Promise.all([blobs.put(bytes), blobs.put(inChunks(bytes, [100_000]))]);
      assert.deepEqual(a, b);
      assert.deepEqual(await blobs.put(bytes), a);
      assertSame(await blobs.get(a.id), bytes);
      assert.deepEqual(await place.leftovers(), []);
    },
  );

  test(
    "put() stores nothing if the bytes have not the id they shall have",
    async ({ blobs }, place) => {
      const bytes = pattern(300_000);
      const [id, claimed] = [sha256(bytes), "0".repeat(64)];
      const refusal = {
        name: "WeightsError",
        message: `Cannot store bytes with hash ${id}: they claim ${claimed}`,
      };
      await assert.rejects(blobs.put(bytes, claimed), refusal);
      assert.equal(await blobs.has(id), false);
      assert.deepEqual(await place.leftovers(), []);
      assert.deepEqual(await blobs.put(bytes, id), { id, bytes: 300_000 });
      await assert.rejects(blobs.put(bytes, claimed), refusal);
      assertSame(await blobs.get(id), bytes);
    },
  );

  test("put() passes on an error of its source and leaves nothing", async ({ blobs }, place) => {
    const bytes = pattern(600_000);
    async function* broken() {
      yield* inChunks(bytes, [bytes.length]);
      throw new Error("the client has gone");
    }
    await assert.rejects(blobs.put(broken()), { message: "the client has gone" });
    assert.equal(await blobs.has(sha256(bytes)), false);
    assert.deepEqual(await place.leftovers(), []);
  });

  test("range() reads a part, across pieces and up to the end", async ({ blobs }) => {
    const bytes = pattern(600_000);
    const { id } = await blobs.put(bytes);
    const spans: [number, number][] = [
      [0, 1],
      [0, 600_000],
      [262_143, 2],
      [262_144, 262_144],
      [100_000, 450_000],
      [599_999, 1],
      [599_990, 100],
      [600_000, 5],
      [700_000, 5],
      [5, 0],
      [1, Number.MAX_SAFE_INTEGER],
    ];
    for (const [start, length] of spans) {
      assertSame(await blobs.range(id, start, length), bytes.slice(start, start + length));
    }
  });

  test("rangeInto() fills a part of a memory of WebAssembly and nothing beside it", async ({ blobs }) => {
    const bytes = pattern(600_000);
    const { id } = await blobs.put(bytes);
    const { buffer } = new WebAssembly.Memory({ initial: 10 });
    const memory = new Uint8Array(buffer as ArrayBuffer);
    const spans = [[0, 1], [262_143, 2], [100_001, 450_000], [599_990, 100], [600_000, 5], [5, 0]];
    for (const [start, length] of spans as [number, number][]) {
      memory.fill(0xee);
      const expected = bytes.slice(start, start + length);
      const into = memory.subarray(1003, 1003 + length);
      assert.equal(await blobs.rangeInto(id, start, into), expected.length);
      assertSame(memory.slice(1003, 1003 + expected.length), expected);
      assert.equal(memory[1002], 0xee);
      assert.equal(memory[1003 + expected.length], 0xee);
    }
  });

  test("range() refuses a start or length that is negative or not whole", async ({ blobs }) => {
    const { id } = await blobs.put(bytesOf("abc"));
    for (const [start, length] of [[-1, 1], [0, -1], [0.5, 1], [0, NaN]] as const) {
      await assert.rejects(blobs.range(id, start, length), RangeError);
    }
    for (const start of [-1, 0.5]) {
      await assert.rejects(blobs.rangeInto(id, start, new Uint8Array(1)), RangeError);
    }
  });

  test("an id without a blob reads as null, whatever its form", async ({ blobs }) => {
    for (const id of ["0".repeat(64), "", "../flotilla.db", ".lock", "a".repeat(500), "\0"]) {
      assert.equal(await blobs.get(id), null);
      assert.equal(await blobs.range(id, 0, 1), null);
      assert.equal(await blobs.rangeInto(id, 0, new Uint8Array(1)), null);
      assert.equal(await blobs.has(id), false);
      await blobs.delete(id);
    }
  });

  test("delete() removes the blob and only it", async ({ blobs }) => {
    const [gone, kept] = [await blobs.put(bytesOf("gone")), await blobs.put(bytesOf("kept"))];
    await blobs.delete(gone.id);
    assert.equal(await blobs.has(gone.id), false);
    assert.equal(await blobs.get(gone.id), null);
    assert.deepEqual(await blobs.get(kept.id), bytesOf("kept"));
    assert.deepEqual(await blobs.put(bytesOf("gone")), gone);
  });

  test("put(), get() and range() round-trip any bytes", async ({ blobs }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 2000 }),
        fc.array(fc.nat(700)),
        fc.nat(2100),
        fc.nat(2100),
        async (bytes, chunkSizes, start, length) => {
          const { id } = await blobs.put(inChunks(bytes, chunkSizes));
          assert.equal(id, sha256(bytes));
          assertSame(await blobs.get(id), bytes);
          assertSame(await blobs.range(id, start, length), bytes.slice(start, start + length));
        },
      ),
      { numRuns: 40 },
    );
  });

  test("set() replaces a record, get() reads it, delete() removes it", async ({ records }) => {
    assert.equal(await records.get("client/1"), null);
    await records.set("client/1", { name: "workstation_1" });
    await records.set("client/1", { name: "workstation_2" });
    assert.deepEqual(await records.get("client/1"), { name: "workstation_2" });
    await records.delete("client/1");
    await records.delete("client/1");
    assert.equal(await records.get("client/1"), null);
  });

  test("set() keeps null and empty values as records", async ({ records }) => {
    const values: [string, Json][] = [["a", null], ["b", ""], ["c", {}], ["d", 0], ["e", false]];
    for (const [key, value] of values) await records.set(key, value);
    assert.deepEqual(await records.entries(""), values);
  });

  test("entries() takes the characters of a prefix literally", async ({ records }) => {
    for (const character of "_%*?[]^-\\'\"/ é😀") {
      const key = `p${character}q`;
      await records.set(key, character);
      await records.set("pxq", "another");
      assert.deepEqual(await records.entries(`p${character}`), [[key, character]]);
      await records.delete(key);
    }
    assert.deepEqual(await records.entries("p[a-z]q"), []);
    assert.deepEqual(await records.entries("P"), []);
  });

  test("entries() gives records by key, and all 3,000 of them", async ({ records }) => {
    const keys = Array.from({ length: 3000 }, (_, i) => `client/${String(i).padStart(4, "0")}`);
    await Promise.all(keys.toReversed().map((key) => records.set(key, key)));
    await records.set("clientele", 1);
    assert.deepEqual(await records.entries("client/"), keys.map((key) => [key, key]));
  });

  test("entries() and get() agree with a map for any keys", async ({ records }) => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(text, fc.jsonValue()), text, async (dictionary, prefix) => {
        const expected = Object.entries(dictionary)
          .map(([key, value]): [string, Json] => [prefix + key, asJson(value)])
          .sort(([a], [b]) => a < b ? -1 : 1);
        for (const [key, value] of expected) await records.set(key, value);
        assert.deepEqual(await records.entries(prefix), expected);
        for (const [key, value] of expected) {
          assert.deepEqual(await records.get(key), value);
          await records.delete(key);
        }
      }),
      { numRuns: 50 },
    );
  });

  test("close() can be called twice", async (store) => {
    await store.close();
  });

  if (!kind.keeps) return;

  test("opened again, it has everything", async (store, place) => {
    const entries = await store.journal.append("run", 0, [event("a"), event("b")]);
    const { id } = await store.blobs.put(pattern(300_000));
    await store.records.set("key", [1]);
    await store.close();
    const again = await place.open();
    try {
      assert.deepEqual(await again.journal.read("run"), entries);
      assert.deepEqual(await again.journal.sessions(), ["run"]);
      assertSame(await again.blobs.get(id), pattern(300_000));
      assert.deepEqual(await again.records.get("key"), [1]);
      await again.journal.append("run", 2, [event("c")]);
    } finally {
      await again.close();
    }
  });
}

/** Any well-formed text, with NUL and characters beyond the basic plane. */
const text = fc.string({ unit: "binary", maxLength: 12 });

function event(type: string, value: Json = null): JournalEvent & { value: Json } {
  return { type, value };
}

/** A value as JSON gives it back: -0 becomes 0. */
function asJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value));
}

function bytesOf(ascii: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(ascii);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Bytes that differ from place to place, so that a shift is seen: the period is a prime. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => i % 251);
}

/** The bytes in chunks of the given sizes, what is left as one more. */
async function* inChunks(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const size of sizes) {
    yield bytes.subarray(start, start + size);
    start += size;
  }
  if (start < bytes.length) yield bytes.subarray(start);
}

/** Compares large arrays without printing them. */
function assertSame(actual: Uint8Array | null, expected: Uint8Array): void {
  assert.ok(actual !== null, "there is no such blob");
  assert.equal(actual.length, expected.length);
  assert.equal(sha256(actual), sha256(expected));
}
