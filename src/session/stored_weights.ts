/** The weights of a run in the store: what it still needs, and the end of what it does not. */
import type { ClientId, WeightsId } from "../core/ids.ts";
import type { DueEvaluation } from "./evaluations.ts";
import { keptWeights } from "./kept_rounds.ts";
import type { EngineContext } from "./run_context.ts";
import type { SessionJournal } from "./session_journal.ts";
import { isOver, type SessionState } from "./state.ts";

/** The run, as far as its weights are concerned. */
type Owner = Pick<EngineContext, "journal" | "isNeededElsewhere">;

/** The stored weights of a run that is under way. */
export class StoredWeights {
  /** Updates that are in the store and not in the journal. */
  readonly #undelivered = new Map<ClientId, WeightsId>();
  /** Spent weights that were still needed when they were to go, such as those of a kept round. */
  readonly #left = new Set<WeightsId>();

  /** @param due evaluations whose weights must outlive a restart */
  constructor(readonly context: Owner, readonly due: () => readonly DueEvaluation[]) {}

  /** A client's update has been stored. */
  arrived(client: ClientId, weights: WeightsId): void {
    this.#undelivered.set(client, weights);
  }

  /**
   * The journal has the client's answer: an update that did not come to count is deleted, and so are
   * the weights that it started from, if it was the last.
   *
   * @param started the global weights that it started from
   */
  async answered(client: ClientId, started: WeightsId): Promise<void> {
    const weights = this.#undelivered.get(client);
    this.#undelivered.delete(client);
    await this.discard(weights === undefined ? [started] : [weights, started]);
  }

  /**
   * Deletes those weights that nobody needs any more. The current ones may be among the spent
   * updates (a lone client).
   */
  async discard(spent: Iterable<WeightsId>): Promise<void> {
    for (const id of new Set([...spent, ...this.#left])) {
      // Asked anew for each, as clients deliver while others are deleted.
      if (this.#isNeeded(id)) {
        this.#left.add(id);
        continue;
      }
      this.#left.delete(id);
      await this.context.journal.store.blobs.delete(id);
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
    const last = rounds.findLast(isOver);
    await this.discard([
      ...last?.updates.map(({ weights }) => weights) ?? [],
      // Any of them, as clients may answer long after others have gone on.
      ...rounds.flatMap(({ startWeights, finished }) => [startWeights, finished?.weights ?? []])
        .flat(),
    ]);
  }

  #isNeeded(id: WeightsId): boolean {
    const { state } = this.context.journal;
    return keptWeights(state).has(id) || held(state).has(id) ||
      this.due().some((evaluation) => evaluation.weights === id) ||
      [...this.#undelivered.values()].includes(id) || this.context.isNeededElsewhere(id);
  }
}

/**
 * Deletes the weights of a session that has ended, but those that its rule keeps and, unless it is
 * finished, those that it needs to be restored.
 */
export async function discardUnfinished({ journal, isNeededElsewhere }: Owner): Promise<void> {
  const { state, store } = journal;
  // Who was at work at the end owes nothing any more, and leaves what it started from.
  const started = state.rounds.map(({ startWeights }) => startWeights);
  for (const id of new Set([...unevaluated(state), ...started, ...held(state)])) {
    if (!isLasting(state, id) && !isNeededElsewhere(id)) await store.blobs.delete(id);
  }
}

/** Whether a session that has ended needs these weights. */
function isLasting(state: SessionState, id: WeightsId): boolean {
  return keptWeights(state).has(id) || state.status !== "finished" && held(state).has(id);
}

/** Whether a session needs these weights, now or when it is resumed, restored or forked. */
export function needsWeights({ state, resumable }: SessionJournal, id: WeightsId): boolean {
  return isLasting(state, id) ||
    (resumable && unevaluated(state).includes(id));
}

/** Weights that are still to be aggregated, to be trained from, or kept for later rounds. */
export function held({ pending, kept, inFlight, rounds }: SessionState): Set<WeightsId> {
  return new Set([
    ...pending.map(({ weights }) => weights),
    ...Object.values(kept),
    ...Object.values(inFlight).map(({ round }) => rounds[round - 1]!.startWeights),
  ]);
}

/** Global weights that may still be to evaluate. */
function unevaluated({ rounds }: SessionState): WeightsId[] {
  return rounds.flatMap(({ finished, validation }) =>
    finished !== null && validation === null ? [finished.weights] : []
  );
}
