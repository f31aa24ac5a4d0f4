/** The weights of a run in the store: what it still needs, and the end of what it does not. */
import type { ClientId, WeightsId } from "../core/ids.ts";
import type { DueEvaluation } from "./evaluations.ts";
import type { EngineContext } from "./run_context.ts";
import type { SessionJournal } from "./session_journal.ts";
import type { SessionState } from "./state.ts";

/** The run, as far as its weights are concerned. */
type Owner = Pick<EngineContext, "journal" | "isNeededElsewhere">;

/** The stored weights of a run that is under way. */
export class StoredWeights {
  /** Updates that are in the store and not in the journal. */
  readonly #undelivered = new Map<ClientId, WeightsId>();

  /** @param due evaluations whose weights must outlive a restart */
  constructor(readonly context: Owner, readonly due: () => readonly DueEvaluation[]) {}

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
      if (!this.#isNeeded(id)) await this.context.journal.store.blobs.delete(id);
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
    const { rounds } = this.context.journal.state;
    const last = rounds.findLast(({ finished }) => finished !== null);
    await this.discard([
      ...last?.updates.map(({ weights }) => weights) ?? [],
      ...rounds.map(({ startWeights }) => startWeights),
    ]);
  }

  #isNeeded(id: WeightsId): boolean {
    const { weights, pending } = this.context.journal.state;
    return id === weights || pending.some((update) => update.weights === id) ||
      this.due().some((evaluation) => evaluation.weights === id) ||
      [...this.#undelivered.values()].includes(id) || this.context.isNeededElsewhere(id);
  }
}

/** Deletes all weights of a session that has failed or was stopped, but the last global ones. */
export async function discardUnfinished({ journal, isNeededElsewhere }: Owner): Promise<void> {
  const { state, store } = journal;
  for (const id of unfinished(state)) {
    if (id !== state.weights && !isNeededElsewhere(id)) await store.blobs.delete(id);
  }
}

/** Whether a session needs these weights, now or when it is resumed. */
export function needsWeights({ state, resumable }: SessionJournal, id: WeightsId): boolean {
  return id === state.weights || (resumable && unfinished(state).has(id));
}

/** Weights that are still to be aggregated or may still be to evaluate. */
function unfinished({ rounds, pending }: SessionState): Set<WeightsId> {
  const unevaluated = rounds.flatMap(({ finished, validation }) =>
    finished !== null && validation === null ? [finished.weights] : []
  );
  return new Set([...pending.map(({ weights }) => weights), ...unevaluated]);
}
