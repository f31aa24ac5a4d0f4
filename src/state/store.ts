/**
 * What a leader keeps: journals, blobs and small records. Three stores implement it (memory,
 * SQLite, Redis) and one contract suite holds them to this text.
 */
import type { SessionId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import type { LeaderPlace } from "./leadership.ts";

/** An event as a journal holds it; what its fields mean is the session's business. */
export interface JournalEvent {
  readonly type: string;
}

/** An event in its place: `seq` counts from 1 without gaps. */
export interface JournalEntry<E extends JournalEvent = JournalEvent> {
  readonly seq: number;
  /** Wall-clock milliseconds since 1970 at which it was appended. */
  readonly at: number;
  readonly event: E;
}

/** Append-only histories, one a session. */
export interface Journal {
  /**
   * Appends all events or none, durably: after it resolves they survive a crash of the process.
   *
   * @param expectedSeq number of entries that the caller has seen
   * @returns the appended entries
   * @throws {StaleSequenceError} the journal has another length, as another leader has written
   */
  append<E extends JournalEvent>(
    session: SessionId,
    expectedSeq: number,
    events: readonly E[],
  ): Promise<JournalEntry<E>[]>;
  /**
   * Entries with `seq` greater than `afterSeq`, in order; none for an unknown session.
   *
   * @throws {JournalError} an entry is damaged: names session, entry and place
   */
  read(session: SessionId, afterSeq?: number): Promise<JournalEntry[]>;
  /**
   * Stores a whole journal from elsewhere as it is, its times too; all of it or nothing.
   *
   * @throws {StaleSequenceError} the store has a journal of this session
   */
  adopt(session: SessionId, entries: readonly JournalEntry[]): Promise<void>;
  /** Ids of all sessions that have an entry, in order of their first one. */
  sessions(): Promise<SessionId[]>;
}

/** A blob that has been stored. */
export interface StoredBlob {
  /** SHA-256 of the bytes, in lower-case hex. */
  readonly id: string;
  readonly bytes: number;
}

/** Immutable bytes under the hash of their content, such as encoded weights. */
export interface Blobs {
  /**
   * Stores bytes as they arrive; atomically: a crash or an error in the source leaves nothing.
   *
   * @param expected the id that the bytes shall have
   * @throws {WeightsError} they have another id: nothing is stored
   * @throws {FileAccessError} no space, or the folder cannot be written: names the path
   */
  put(source: Uint8Array | AsyncIterable<Uint8Array>, expected?: string): Promise<StoredBlob>;
  /** The whole blob, its hash not checked again; null if there is none. */
  get(id: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** `length` bytes from `start` (fewer at the end); null if there is no such blob. */
  range(id: string, start: number, length: number): Promise<Uint8Array<ArrayBuffer> | null>;
  /**
   * Fills `into` with the bytes from `start` on, without another buffer between where that can be.
   *
   * @returns how many there are, fewer than fit into it at the end; null if there is no such blob
   */
  rangeInto(id: string, start: number, into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  has(id: string): Promise<boolean>;
  /** Number of its bytes; null if there is no such blob. */
  size(id: string): Promise<number | null>;
  /** All blobs, in no order. */
  list(): Promise<StoredBlob[]>;
  /** Deletes the blob if it is there. */
  delete(id: string): Promise<void>;
}

/** Small records by key, such as the clients that the leader has known. */
export interface Records {
  get(key: string): Promise<Json | null>;
  set(key: string, value: Json): Promise<void>;
  delete(key: string): Promise<void>;
  /** All records whose key starts with the prefix, by key. */
  entries(prefix: string): Promise<[string, Json][]>;
}

/** Everything that a leader keeps. */
export interface Store {
  /** Which store and where, for people: `sqlite at state/flotilla.db`. */
  readonly description: string;
  readonly journal: Journal;
  readonly blobs: Blobs;
  readonly records: Records;
  /** Who leads. Once its `fence` is up, every write throws `DeposedError` in another term. */
  readonly leader: LeaderPlace;
  close(): Promise<void>;
}

/** How to open a store. */
export type StoreOptions =
  | { readonly kind: "memory" }
  | { readonly kind: "sqlite"; readonly folder: string }
  | { readonly kind: "redis"; readonly hostname: string; readonly port: number };
