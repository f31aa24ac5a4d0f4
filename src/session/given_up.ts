/** Rounds that end with too few updates: which are given up, and when the run fails of them. Pure. */
import { SessionFailedError } from "../core/errors.ts";
import { byName } from "../core/ids.ts";
import { openRound, type SessionState } from "./state.ts";

/**
 * Why the open round is given up, which has ended with fewer updates than `min_updates`: the run
 * goes on with the next round from the weights as they are.
 *
 * @param updates how many complete it
 * @throws {SessionFailedError} the run fails: `max_failed_rounds` rounds before it were given up, it
 * is the last one and no round has finished, or others are still at work, as in asynchronous runs,
 * so that nothing says that the next round would have more
 */
export function reasonToGiveUp(state: SessionState, updates: number): string {
  const { session_config, server_training_config: { num_training_rounds: total } } = state.config;
  const { min_updates: needed, max_failed_rounds: most } = session_config;
  const { round, failures } = openRound(state)!;
  const shortage = `${updates} updates as min_updates is ${needed}`;
  const before = givenUpInARow(state);
  const isEverything = updates === state.pending.length && Object.keys(state.inFlight).length === 0;
  const isHopeless = round === total && state.rounds.every(({ finished }) => finished === null);
  if (isEverything && before < most && !isHopeless) return shortage;
  const since = before === 0
    ? ""
    : before === 1
    ? `, and round ${round - 1} was given up`
    : `, and rounds ${round - before} to ${round - 1} were given up`;
  // Who fails first is chance, and no part of the reason.
  const reasons = failures.toSorted((a, b) => byName(a.client, b.client))
    .map(({ client, reason }) => `${client.name}: ${reason}`);
  throw new SessionFailedError(`Round ${round} has ${shortage}${since}: ${reasons.join("; ")}`);
}

/** Number of rounds just before the open one that were given up. */
function givenUpInARow({ rounds }: SessionState): number {
  const past = rounds.slice(0, -1);
  return past.length - 1 - past.findLastIndex(({ givenUp }) => givenUp === null);
}
