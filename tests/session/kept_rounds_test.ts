import assert from "node:assert/strict";
import { bestRound, keptRounds } from "../../src/session/kept_rounds.ts";
import { fold, type SessionState } from "../../src/session/state.ts";
import {
  CONFIG,
  hash,
  journal,
  roundFinished,
  roundStarted,
  started,
  submitted,
} from "../fixtures/recorded_run.ts";
import type { SessionEvent } from "../../src/session/events.ts";

/** A run of 6 rounds with the given accuracies (null: not evaluated). */
function runOf(
  keep: Record<string, unknown>,
  accuracies: readonly (number | null)[] = [null, null, null, null, null, null],
): SessionState {
  const config = { ...CONFIG, session_config: { ...CONFIG.session_config, ...keep } };
  const rounds = accuracies.flatMap((accuracy, i): SessionEvent[] => [
    roundStarted(i + 1),
    roundFinished(i + 1, 1, 0.5),
    ...(accuracy === null ? [] : [
      {
        type: "round_validated",
        round: i + 1,
        validation: { loss: 1 - accuracy, accuracy, samples: 10 },
      } as const,
    ]),
  ]);
  const first = { ...submitted, config } as SessionEvent;
  return fold(journal([first, started, ...rounds]))!;
}

const numbers = (state: SessionState) => keptRounds(state).map(({ round }) => round);

Deno.test("keptRounds() keeps the last rounds, the best and each checkpoint", () => {
  assert.deepEqual(numbers(runOf({ keep_rounds: 2 })), [5, 6]);
  assert.deepEqual(numbers(runOf({ keep_rounds: 1, checkpoint_interval: 3 })), [3, 6]);
  const best = [0.1, 0.9, 0.9, 0.2, 0.3, 0.4];
  assert.deepEqual(numbers(runOf({ keep_rounds: 1, checkpoint_interval: 0 }, best)), [2, 6]);
  assert.deepEqual(numbers(runOf({ keep_rounds: null })), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(numbers(runOf({ keep_rounds: 100 })), [1, 2, 3, 4, 5, 6]);
});

Deno.test("bestRound() takes the lower loss where accuracies are equal, and no NaN", () => {
  const { rounds } = runOf({}, [0.5, 0.5, 0.5, null, null, null]);
  const withLosses = [Number.NaN, 3, 2].map((loss, i) => ({
    ...rounds[i]!,
    validation: { loss, accuracy: i === 0 ? 0.4 : null, samples: 10 },
  }));
  assert.equal(bestRound(withLosses.slice(1))?.round, 3);
  assert.equal(bestRound(withLosses)?.round, 1, "an accuracy beats none");
  assert.equal(bestRound([]), null);
  assert.equal(rounds[0]!.finished!.weights, hash(1));
});
