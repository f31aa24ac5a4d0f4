/**
 * Waiting for a store that is away: a server that does not answer, a full disk, a folder that must
 * not be written. The work is tried again until it succeeds, and those who watch are told meanwhile.
 */
import type { Clock } from "../core/clock.ts";
import {
  FileAccessError,
  messageOf,
  StaleSequenceError,
  StoreInterruptedError,
  UnreachableError,
} from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";
import type {
  Blobs,
  Journal,
  JournalEntry,
  JournalEvent,
  Store,
  StoredBlob,
} from "../state/store.ts";

/** Pause between two attempts. */
const TRY_EVERY_MS = 500;
/** No fault is waited for longer than a day. */
const LONGEST_PAUSE_MS = 24 * 3600 * 1000;
/** Least space that must be there before a stream is tried again. */
const LEAST_PROBE_BYTES = 64 * 1024;

/** Who is told, and what ends the waiting. */
export interface PatienceOptions {
  readonly clock: Clock;
  /** Ends the waiting: the work fails as it did last. */
  readonly signal: AbortSignal;
  /** Told once when the work stands still. */
  onPause(reason: string): void;
  /** Told once when it goes on. */
  onResume(pausedMs: number): void;
}

/** Tries again what fails for a reason that may pass. */
export class Patience {
  readonly #options: PatienceOptions;
  /** Monotonic time since which something waits; null if nothing does. */
  #pausedSince: number | null = null;

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /**
   * Does `work`, again and again while the place where it writes is away.
   *
   * @param bytes that are to be written, for those who make room; null if that is not known
   */
  async through<T>(work: () => Promise<T>, bytes: number | null = null): Promise<T> {
    const { clock, signal } = this.#options;
    const deadline = clock.monotonicMs() + LONGEST_PAUSE_MS;
    for (;;) {
      try {
        const result = await work();
        this.#resume();
        return result;
      } catch (error) {
        if (!mayPass(error) || signal.aborted || clock.monotonicMs() > deadline) throw error;
        this.#pause(messageOf(error) + (bytes === null ? "" : ` (${bytes} bytes are needed)`));
        try {
          await clock.sleep(TRY_EVERY_MS, signal);
        } catch {
          throw error;
        }
      }
    }
  }

  #pause(reason: string): void {
    if (this.#pausedSince !== null) return;
    this.#pausedSince = this.#options.clock.monotonicMs();
    this.#options.onPause(reason);
  }

  #resume(): void {
    if (this.#pausedSince === null) return;
    const pausedMs = this.#options.clock.monotonicMs() - this.#pausedSince;
    this.#pausedSince = null;
    this.#options.onResume(pausedMs);
  }
}

/** Whether a fault may pass by itself or by somebody's help; a damaged file does not. */
function mayPass(error: unknown): boolean {
  if (error instanceof UnreachableError) return true;
  return error instanceof FileAccessError && !/damaged|newer Flotilla/.test(error.message);
}

/**
 * The same store, whose journal and blobs wait when it is away. A stream of bytes cannot be read a
 * second time: its `put` waits until there is room, then throws `StoreInterruptedError`.
 */
export function patientStore(store: Store, patience: Patience): Store {
  return {
    ...store,
    journal: new PatientJournal(store.journal, patience),
    blobs: new PatientBlobs(store.blobs, patience),
  };
}

class PatientJournal implements Journal {
  constructor(readonly journal: Journal, readonly patience: Patience) {}

  async append<E extends JournalEvent>(
    session: SessionId,
    expectedSeq: number,
    events: readonly E[],
  ): Promise<JournalEntry<E>[]> {
    let isFirst = true;
    return await this.patience.through(async () => {
      const wasFirst = isFirst;
      isFirst = false;
      try {
        return await this.journal.append(session, expectedSeq, events);
      } catch (error) {
        // An attempt whose answer was lost may have been made: then the entries are our own.
        if (wasFirst || !(error instanceof StaleSequenceError)) throw error;
        const found = await this.journal.read(session, expectedSeq);
        const same = JSON.stringify(found.map(({ event }) => event)) === JSON.stringify(events);
        if (!same) throw error;
        return found as JournalEntry<E>[];
      }
    }, JSON.stringify(events).length);
  }

  adopt(session: SessionId, entries: readonly JournalEntry[]): Promise<void> {
    return this.journal.adopt(session, entries);
  }

  read(session: SessionId, afterSeq?: number): Promise<JournalEntry[]> {
    return this.patience.through(() => this.journal.read(session, afterSeq));
  }

  sessions(): Promise<SessionId[]> {
    return this.patience.through(() => this.journal.sessions());
  }
}

class PatientBlobs implements Blobs {
  constructor(readonly blobs: Blobs, readonly patience: Patience) {}

  async put(
    source: Uint8Array | AsyncIterable<Uint8Array>,
    expected?: string,
  ): Promise<StoredBlob> {
    if (source instanceof Uint8Array) {
      return await this.patience.through(() => this.blobs.put(source, expected), source.length);
    }
    let bytes = 0;
    async function* counted(pieces: AsyncIterable<Uint8Array>) {
      for await (const piece of pieces) {
        bytes += piece.length;
        yield piece;
      }
    }
    try {
      return await this.blobs.put(counted(source), expected);
    } catch (error) {
      if (!mayPass(error)) throw error;
      await this.#untilThereIsRoom(Math.max(bytes, LEAST_PROBE_BYTES), error);
      throw new StoreInterruptedError(messageOf(error), { cause: error });
    }
  }

  get(id: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.patience.through(() => this.blobs.get(id));
  }

  range(id: string, start: number, length: number): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.patience.through(() => this.blobs.range(id, start, length));
  }

  rangeInto(id: string, start: number, into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    return this.patience.through(() => this.blobs.rangeInto(id, start, into));
  }

  size(id: string): Promise<number | null> {
    return this.patience.through(() => this.blobs.size(id));
  }

  list(): Promise<StoredBlob[]> {
    return this.patience.through(() => this.blobs.list());
  }

  has(id: string): Promise<boolean> {
    return this.patience.through(() => this.blobs.has(id));
  }

  delete(id: string): Promise<void> {
    return this.patience.through(() => this.blobs.delete(id));
  }

  /** @param first what the stream failed by: the first attempt, for those who are told */
  async #untilThereIsRoom(bytes: number, first: unknown): Promise<void> {
    const probe = new Uint8Array(bytes);
    let told = false;
    const { id } = await this.patience.through(() => {
      if (told) return this.blobs.put(probe);
      told = true;
      throw first;
    }, bytes);
    await this.patience.through(() => this.blobs.delete(id));
  }
}
