/** The weights of a run in the store: what it still needs, and the end of what it does not. */
import type { ClientId, WeightsId } from "../core/ids.ts";
import type { DueEvaluation } from "./evaluations.ts";
import type { SessionJournal } from "./session_journal.ts";

/** The stored weights of a run that is under way. */
export class StoredWeights {
  /** Updates that are in the store and not in the journal. */
  readonly #undelivered = new Map<ClientId, WeightsId>();

  /** @param due evaluations whose weights must outlive a restart */
  constructor(readonly journal: SessionJournal, readonly due: () => readonly DueEvaluation[]) {}

  /** A client's update has been stored. */
  arrived(client: ClientId, weights: WeightsId): void {
    this.#undelivered.set(client, weights);
  }

  /** The journal has the client's answer: an update that did not come to count is deleted. */
  async answered(client: ClientId): Promise<void> {
    const weights = this.#undelivered.get(client);
    if (weights === undefined) return;
    this.#undelivered.delete(client);
    await this.discard([weights]);
  }

  /**
   * Deletes those weights that nobody needs any more. The current ones may be among the spent
   * updates (a lone client).
   */
  async discard(spent: Iterable<WeightsId>): Promise<void> {
    for (const id of new Set(spent)) {
      // Asked anew for each, as clients deliver while others are deleted.
      if (!this.#isNeeded(id)) await this.journal.store.blobs.delete(id);
    }
  }

  /** Deletes the updates whose answers nobody will take: the run is over in this process. */
  async discardUndelivered(): Promise<void> {
    const undelivered = [...this.#undelivered.values()];
    this.#undelivered.clear();
    await this.discard(undelivered);
  }

  /** After a restart: deletes what was spent when the run was cut off. */
  async discardSpent(): Promise<void> {
    const { rounds } = this.journal.state;
    const last = rounds.findLastIndex(({ finished }) => finished !== null);
    if (last < 0) return;
    const spent = rounds[last]!.updates.map(({ weights }) => weights);
    const before = rounds[last - 1]?.finished?.weights;
    await this.discard(before === undefined ? spent : [...spent, before]);
  }

  #isNeeded(id: WeightsId): boolean {
    const { weights, pending } = this.journal.state;
    return id === weights || pending.some((update) => update.weights === id) ||
      this.due().some((evaluation) => evaluation.weights === id) ||
      [...this.#undelivered.values()].includes(id);
  }
}

/** Deletes all weights of a session that has failed or was stopped, but the last global ones. */
export async function discardUnfinished({ state, store }: SessionJournal): Promise<void> {
  const unevaluated = state.rounds.flatMap(({ finished, validation }) =>
    finished !== null && validation === null ? [finished.weights] : []
  );
  const left = new Set([...state.pending.map(({ weights }) => weights), ...unevaluated]);
  for (const id of left) if (id !== state.weights) await store.blobs.delete(id);
}
