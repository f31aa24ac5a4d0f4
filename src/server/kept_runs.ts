/** The runs that a leader has in its store: those that can be read, and those that cannot. */
import { canMean, type SessionId } from "../core/ids.ts";
import { SessionJournal } from "../session/session_journal.ts";
import { type JournalPlace, openJournal } from "./open_journal.ts";
import {
  UnknownSessionError,
  type UnreadableSession,
  UnreadableSessionError,
} from "./session_service.ts";

/** All runs of one store. */
export class KeptRuns {
  readonly #journals = new Map<SessionId, SessionJournal>();
  /** What these runs need is not known. */
  readonly #unreadable = new Map<SessionId, UnreadableSession>();

  constructor(readonly place: JournalPlace) {}

  /**
   * Opens those journals of the store that are not open yet. One that cannot be read is left out
   * with an error in the log: the others go on.
   *
   * @param skip ids whose journals are being made by this process
   * @returns those that were opened
   *
   * @throws {UnreachableError} the store does not answer
   */
  async load(skip: ReadonlySet<SessionId>): Promise<SessionJournal[]> {
    const opened: SessionJournal[] = [];
    for (const id of await this.place.store.journal.sessions()) {
      if (skip.has(id) || this.#journals.has(id) || this.#unreadable.has(id)) continue;
      const journal = await openJournal(id, this.place);
      if (journal === null) continue;
      if (journal instanceof SessionJournal) {
        this.#journals.set(id, journal);
        opened.push(journal);
      } else {
        this.#unreadable.set(id, journal);
      }
    }
    return opened;
  }

  add(journal: SessionJournal): void {
    this.#journals.set(journal.id, journal);
  }

  get(id: SessionId): SessionJournal | null {
    return this.#journals.get(id) ?? null;
  }

  /** In order of submission. */
  all(): SessionJournal[] {
    return [...this.#journals.values()];
  }

  unreadable(): UnreadableSession[] {
    return [...this.#unreadable.values()];
  }

  /**
   * Finds a run by its id or the unambiguous start of it.
   *
   * @throws {UnknownSessionError} there is none, or more than one
   * @throws {UnreadableSessionError} its journal cannot be read
   */
  find(id: string): SessionJournal {
    const exact = this.#journals.get(id) ?? this.#unreadable.get(id);
    const all = [...this.#journals.values(), ...this.#unreadable.values()];
    const matches = exact !== undefined ? [exact] : all.filter((one) => canMean(id, one.id));
    if (matches.length !== 1) throw new UnknownSessionError(id);
    const [found] = matches;
    if (found instanceof SessionJournal) return found;
    throw new UnreadableSessionError(found!);
  }
}
