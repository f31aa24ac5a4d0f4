/** What a run with a strategy came to. */
import type { Results } from "../../src/session/results.ts";
import type { RoundPoint, RunHistory } from "../../src/session/run_history.ts";

/** A run until its budget was used up. */
export interface Outcome {
  readonly name: string;
  /** Rounds that were evaluated, in order. */
  readonly evaluated: readonly Evaluated[];
  /** Seconds of wall time until the first evaluated round with 90 %; null if there is none. */
  readonly secondsToNinety: number | null;
  /** Of the last evaluated round; null if there is none. */
  readonly accuracy: number | null;
  readonly rounds: number;
  readonly updates: number;
  /** Sent and received. */
  readonly bytes: number;
}

/** A round whose model was evaluated on the leader's test set. */
export interface Evaluated {
  readonly round: number;
  /** Since the start of the session. */
  readonly seconds: number;
  readonly bytes: number;
  readonly accuracy: number;
}

/** @param limit seconds of wall time after which rounds do not count any more */
export function outcomeOf(
  name: string,
  results: Results,
  history: RunHistory,
  limit: number,
): Outcome {
  const points = history.points.filter(({ seconds }) => seconds <= limit);
  const evaluated = points.flatMap(evaluation);
  const last = points.at(-1);
  return {
    name,
    evaluated,
    secondsToNinety: evaluated.find(({ accuracy }) => accuracy >= 0.9)?.seconds ?? null,
    accuracy: evaluated.at(-1)?.accuracy ?? null,
    rounds: points.length,
    updates: results.rounds.slice(0, points.length)
      .reduce((sum, { updates }) => sum + updates.length, 0),
    bytes: last?.bytes ?? 0,
  };
}

function evaluation({ round, seconds, bytes, accuracy }: RoundPoint): Evaluated[] {
  return accuracy === null ? [] : [{ round, seconds, bytes, accuracy }];
}
