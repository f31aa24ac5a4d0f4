/**
 * A store that lives and dies with its process, for tests, trials and simulations. It keeps JSON
 * text as the others do, so that a value changed after it was stored does not change the store.
 */
import { StaleSequenceError } from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { BlobDigest, spanWithin } from "./blob_pieces.ts";
import type { LeaderPlace, LeaderRecord } from "./leadership.ts";
import { byKey } from "./ordering.ts";
import type {
  Blobs,
  Journal,
  JournalEntry,
  JournalEvent,
  Records,
  Store,
  StoredBlob,
} from "./store.ts";

/**
 * Opens an empty store in memory.
 *
 * @param now wall-clock milliseconds, for the time stamps of journal entries
 */
export function openMemoryStore(now: () => number = Date.now): Store {
  return {
    description: "memory",
    journal: new MemoryJournal(now),
    blobs: new MemoryBlobs(),
    records: new MemoryRecords(),
    leader: new MemoryLeader(),
    close: () => Promise.resolve(),
  };
}

class MemoryJournal implements Journal {
  readonly #now: () => number;
  /** Entries as JSON text; a `Map` keeps the order of first entries. */
  readonly #entries = new Map<SessionId, string[]>();

  constructor(now: () => number) {
    this.#now = now;
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async append<E extends JournalEvent>(
    session: SessionId,
    expectedSeq: number,
    events: readonly E[],
  ): Promise<JournalEntry<E>[]> {
    const entries = this.#entries.get(session) ?? [];
    if (entries.length !== expectedSeq) {
      throw new StaleSequenceError(session, expectedSeq, entries.length);
    }
    if (events.length === 0) return [];
    const at = this.#now();
    const appended = events.map((event, i) => ({ seq: expectedSeq + i + 1, at, event }));
    const texts = appended.map((entry) => JSON.stringify(entry));
    for (const text of texts) entries.push(text);
    this.#entries.set(session, entries);
    return appended;
  }

  read(session: SessionId, afterSeq = 0): Promise<JournalEntry[]> {
    const entries = this.#entries.get(session) ?? [];
    return Promise.resolve(entries.slice(afterSeq).map((text) => JSON.parse(text)));
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async adopt(session: SessionId, entries: readonly JournalEntry[]): Promise<void> {
    const { length = 0 } = this.#entries.get(session) ?? [];
    if (length > 0) throw new StaleSequenceError(session, 0, length);
    this.#entries.set(session, entries.map((entry) => JSON.stringify(entry)));
  }

  sessions(): Promise<SessionId[]> {
    return Promise.resolve([...this.#entries.keys()]);
  }
}

/** Nobody else can reach this store, so there is nothing to fence off. */
class MemoryLeader implements LeaderPlace {
  #record: LeaderRecord | null = null;

  read(): Promise<LeaderRecord | null> {
    return Promise.resolve(this.#record);
  }

  replace(
    before: Pick<LeaderRecord, "term" | "beat"> | null,
    record: LeaderRecord,
  ): Promise<boolean> {
    const isSame = this.#record?.term === before?.term && this.#record?.beat === before?.beat;
    if (isSame) this.#record = record;
    return Promise.resolve(isSame);
  }

  fence(): void {}
}

class MemoryBlobs implements Blobs {
  readonly #blobs = new Map<string, Uint8Array<ArrayBuffer>>();

  async put(
    source: Uint8Array | AsyncIterable<Uint8Array>,
    expected?: string,
  ): Promise<StoredBlob> {
    const digest = new BlobDigest();
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for await (const piece of digest.through(source, expected)) parts.push(new Uint8Array(piece));
    const stored = digest.finish();
    this.#blobs.set(stored.id, new Uint8Array(await new Blob(parts).arrayBuffer()));
    return stored;
  }

  get(id: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return Promise.resolve(this.#blobs.get(id)?.slice() ?? null);
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async range(id: string, start: number, length: number): Promise<Uint8Array<ArrayBuffer> | null> {
    const blob = this.#blobs.get(id);
    const span = spanWithin(blob?.length ?? 0, start, length);
    return blob?.slice(span.start, span.end) ?? null;
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async rangeInto(
    id: string,
    start: number,
    into: Uint8Array<ArrayBuffer>,
  ): Promise<number | null> {
    const blob = this.#blobs.get(id);
    const span = spanWithin(blob?.length ?? 0, start, into.length);
    if (blob === undefined) return null;
    into.set(blob.subarray(span.start, span.end));
    return span.end - span.start;
  }

  has(id: string): Promise<boolean> {
    return Promise.resolve(this.#blobs.has(id));
  }

  size(id: string): Promise<number | null> {
    return Promise.resolve(this.#blobs.get(id)?.length ?? null);
  }

  list(): Promise<StoredBlob[]> {
    return Promise.resolve(
      [...this.#blobs].map(([id, { length: bytes }]) => ({ id, bytes })),
    );
  }

  delete(id: string): Promise<void> {
    this.#blobs.delete(id);
    return Promise.resolve();
  }
}

class MemoryRecords implements Records {
  readonly #records = new Map<string, string>();

  get(key: string): Promise<Json | null> {
    return Promise.resolve(JSON.parse(this.#records.get(key) ?? "null"));
  }

  set(key: string, value: Json): Promise<void> {
    this.#records.set(key, JSON.stringify(value));
    return Promise.resolve();
  }

  delete(key: string): Promise<void> {
    this.#records.delete(key);
    return Promise.resolve();
  }

  entries(prefix: string): Promise<[string, Json][]> {
    const found = [...this.#records].filter(([key]) => key.startsWith(prefix));
    return Promise.resolve(byKey(found.map(([key, text]) => [key, JSON.parse(text)])));
  }
}
