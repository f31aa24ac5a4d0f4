/**
 * Clients that were away when a session ended still keep their result of it: they are told when they
 * are heard of again.
 */
import { RpcError } from "../core/errors.ts";
import type { ClientId, SessionId } from "../core/ids.ts";
import type { Fleet } from "../session/fleet.ts";
import { releaseClient } from "../session/release.ts";
import type { SessionJournal } from "../session/session_journal.ts";
import type { SessionState } from "../session/state.ts";

/** Sessions of which a client is told that comes to a new leader: it keeps results of fewer. */
const MOST_SESSIONS = 8;

/** What late releases look at. */
export interface LateReleaseOptions {
  /** All sessions, in order of submission. */
  journals(): Iterable<SessionJournal>;
  readonly fleet: Pick<Fleet, "link">;
}

/** Who is still to be told of which end. */
export class LateReleases {
  /** Of each client that this process has heard of. */
  readonly #owed = new Map<ClientId, Set<SessionId>>();
  readonly #underWay = new Set<ClientId>();

  constructor(readonly options: LateReleaseOptions) {}

  /** Clients could not be told of the end of a session. */
  missed(session: SessionId, clients: readonly ClientId[]): void {
    for (const client of clients) this.#owedTo(client).add(session);
  }

  /** A client gives a sign of life: tells it what it has missed. Never throws. */
  async heard(client: ClientId): Promise<void> {
    const owed = this.#owedTo(client);
    if (owed.size === 0 || this.#underWay.has(client)) return;
    this.#underWay.add(client);
    try {
      for (const session of owed) {
        // It may have been restored.
        if (this.#ended().some(({ id }) => id === session)) await this.#release(client, session);
        owed.delete(session);
      }
    } catch {
      // Away again: its next sign of life is another occasion.
    } finally {
      this.#underWay.delete(client);
    }
  }

  async #release(client: ClientId, session: SessionId): Promise<void> {
    try {
      await releaseClient(this.options.fleet.link(client), session);
    } catch (error) {
      const isAway = error instanceof RpcError &&
        (error.failure === "unavailable" || error.failure === "deadline");
      if (isAway) throw error;
      // It does not know of releases.
    }
  }

  #owedTo(client: ClientId): Set<SessionId> {
    const known = this.#owed.get(client);
    if (known !== undefined) return known;
    const ended = this.#ended().slice(-MOST_SESSIONS).filter((state) => tookPart(state, client));
    const owed = new Set(ended.map(({ id }) => id));
    this.#owed.set(client, owed);
    return owed;
  }

  #ended(): SessionState[] {
    return [...this.options.journals()].filter(({ ended }) => ended).map(({ state }) => state);
  }
}

function tookPart({ rounds }: SessionState, client: ClientId): boolean {
  return rounds.some(({ selected }) => selected.some(({ id }) => id === client));
}
