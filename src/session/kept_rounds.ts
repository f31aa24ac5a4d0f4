/**
 * Whose weights outlive their round: those of the last rounds, of the best, and of each checkpoint,
 * so that a run can be forked from there. Pure.
 */
import type { WeightsId } from "../core/ids.ts";
import type { Evaluation } from "../core/metrics.ts";
import type { RoundRecord, SessionState } from "./state.ts";

/** States are never changed, and each is asked many times. */
const known = new WeakMap<SessionState, ReadonlySet<WeightsId>>();

/** The global weights of a session that its rule keeps, the current ones among them. */
export function keptWeights(state: SessionState): ReadonlySet<WeightsId> {
  const before = known.get(state);
  if (before !== undefined) return before;
  const kept = new Set(keptRounds(state).map(({ finished }) => finished!.weights));
  if (state.weights !== null) kept.add(state.weights);
  known.set(state, kept);
  return kept;
}

/** The finished rounds whose weights are kept, in order. */
export function keptRounds({ config, rounds }: SessionState): RoundRecord[] {
  const { keep_rounds: last, checkpoint_interval: interval } = config.session_config;
  const finished = rounds.filter((round) => round.finished !== null);
  // Null keeps all.
  const firstOfLast = last === null ? 0 : finished.length - last;
  const best = bestRound(finished);
  return finished.filter((record, i) =>
    i >= firstOfLast || record === best || isCheckpoint(record.round, interval)
  );
}

/** Whether a checkpoint is written when this round has finished. */
export function isCheckpoint(round: number, interval: number | null): boolean {
  return interval !== null && interval > 0 && round > 0 && round % interval === 0;
}

/** The round that was evaluated best, the first of equals; null if none was evaluated. */
export function bestRound(rounds: readonly RoundRecord[]): RoundRecord | null {
  let best: RoundRecord | null = null;
  for (const round of rounds) {
    if (round.validation === null) continue;
    if (best === null || isBetter(round.validation, best.validation!)) best = round;
  }
  return best;
}

/** By accuracy, and by loss where that is equal or there is none. */
function isBetter(a: Evaluation, b: Evaluation): boolean {
  const [ofA, ofB] = [a.accuracy ?? 0, b.accuracy ?? 0];
  // A loss that is not a number is never better.
  return ofA === ofB ? a.loss < b.loss : ofA > ofB;
}
