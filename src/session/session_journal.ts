/**
 * A session's journal with what is folded from it: events are appended here first, then folded,
 * then told to those who follow the run.
 */
import type { Clock } from "../core/clock.ts";
import { crashPoint } from "../core/crash_point.ts";
import { JournalError, messageOf } from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";
import type { Store } from "../state/store.ts";
import {
  isTerminal,
  type LiveNote,
  type SessionEntry,
  type SessionEvent,
  type SessionSubmitted,
  type StreamItem,
} from "./events.ts";
import { Inbox } from "./inbox.ts";
import { fold, reduce, type SessionState } from "./state.ts";

/** The one writer of a session's journal in this process. */
export class SessionJournal {
  readonly #listeners = new Set<(item: StreamItem) => void>();
  /** What the run waits for, so that who comes later is told too; null if it does not wait. */
  #waiting: LiveNote | null = null;
  #state: SessionState;
  #store: Store;
  /** The end that {@link breakOff} has told and the store does not have. */
  #unstored: SessionEntry | null = null;

  private constructor(
    readonly id: SessionId,
    state: SessionState,
    store: Store,
    readonly clock: Clock,
  ) {
    this.#store = store;
    this.#state = state;
  }

  /**
   * Begins a journal with the submission.
   *
   * @param taken events that a fork takes over from its parent
   */
  static async begin(
    store: Store,
    clock: Clock,
    submitted: SessionSubmitted,
    taken: readonly SessionEvent[] = [],
  ): Promise<SessionJournal> {
    const entries = await store.journal.append<SessionEvent>(submitted.session, 0, [
      submitted,
      ...taken,
    ]);
    return new SessionJournal(submitted.session, fold(entries)!, store, clock);
  }

  /**
   * Opens a journal that the store holds; null for an unknown session.
   *
   * @throws {JournalError} it is damaged, or of another version
   */
  static async open(store: Store, clock: Clock, id: SessionId): Promise<SessionJournal | null> {
    const entries = await store.journal.read(id) as SessionEntry[];
    try {
      const state = fold(entries);
      return state && new SessionJournal(id, state, store, clock);
    } catch (error) {
      if (error instanceof JournalError) throw error;
      // An event without the fields that its type promises.
      throw new JournalError(
        `Cannot read the journal of session ${id} as an entry is damaged: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }

  get store(): Store {
    return this.#store;
  }

  /** Reaches the store in another way from now on, such as one that waits when it is away. */
  reachBy(store: Store): void {
    this.#store = store;
  }

  get state(): SessionState {
    return this.#state;
  }

  get ended(): boolean {
    return this.#state.endedAt !== null;
  }

  /** Whether the next start of a leader goes on with the session. */
  get resumable(): boolean {
    return !this.ended || this.#unstored !== null;
  }

  /**
   * Appends an event, folds it and tells the followers.
   *
   * @throws {JournalError} it cannot follow, as the session has ended; nothing is appended
   * @throws {StaleSequenceError} another leader has written to this journal
   */
  async append(event: SessionEvent): Promise<SessionState> {
    this.preview(event);
    crashPoint("journal_before");
    const entries = await this.store.journal.append(this.id, this.#state.seq, [event]);
    crashPoint("journal_after");
    this.#waiting = null;
    for (const entry of entries) {
      this.#state = reduce(this.#state, entry);
      this.#tell({ kind: "event", entry });
    }
    return this.#state;
  }

  /**
   * Fails the session in this process alone, as the store takes no more of its events: the followers
   * are told, and the next start finds the session as the store has it.
   */
  breakOff(reason: string): void {
    const { entry, state } = this.preview({ type: "session_failed", reason });
    this.#state = state;
    this.#unstored = entry;
    this.#tell({ kind: "event", entry });
  }

  /** The entry that an event would be, and the state after it, without appending it. */
  preview(event: SessionEvent): { entry: SessionEntry; state: SessionState } {
    const entry = { seq: this.#state.seq + 1, at: this.clock.epochMs(), event };
    return { entry, state: reduce(this.#state, entry) };
  }

  /** Tells the followers something that is not kept. */
  note(note: LiveNote): void {
    if (note.type === "waiting_for_clients" || note.type === "paused") this.#waiting = note;
    if (note.type === "resumed") this.#waiting = null;
    this.#tell({ kind: "note", note });
  }

  /**
   * All events after `afterSeq` and then what happens, each once and in order, until the session
   * has ended or the signal aborts. A follower that is slower than the run misses notes, never
   * events.
   */
  async *follow(afterSeq: number, signal: AbortSignal): AsyncGenerator<StreamItem> {
    const backlog = new Backlog();
    const listener = (item: StreamItem) => backlog.add(item);
    this.#listeners.add(listener);
    try {
      let seq = afterSeq;
      for (const entry of await this.store.journal.read(this.id, afterSeq) as SessionEntry[]) {
        seq = entry.seq;
        yield { kind: "event", entry };
      }
      if (this.#unstored !== null && seq < this.#unstored.seq) {
        yield { kind: "event", entry: this.#unstored };
        return;
      }
      if (this.ended && seq >= this.#state.seq) return;
      if (this.#waiting !== null) yield { kind: "note", note: this.#waiting };
      for (;;) {
        const item = await backlog.next(signal);
        if (item === null) return;
        if (item.kind === "note") {
          yield item;
          continue;
        }
        if (item.entry.seq > seq) {
          seq = item.entry.seq;
          yield item;
        }
        // Also for a follower who asked for events after the last one.
        if (isTerminal(item.entry.event)) return;
      }
    } finally {
      this.#listeners.delete(listener);
    }
  }

  #tell(item: StreamItem): void {
    for (const listener of this.#listeners) listener(item);
  }
}

/** What a follower has not yet taken. */
class Backlog {
  static readonly maxNotes = 256;
  readonly #items = new Inbox<StreamItem>();
  #notes = 0;

  add(item: StreamItem): void {
    if (item.kind === "note" && this.#notes >= Backlog.maxNotes) return;
    if (item.kind === "note") this.#notes++;
    this.#items.put(item);
  }

  /** The next item; null once the signal has aborted. */
  async next(signal: AbortSignal): Promise<StreamItem | null> {
    try {
      const item = await this.#items.take(signal);
      if (item.kind === "note") this.#notes--;
      return item;
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    }
  }
}
