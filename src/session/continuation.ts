/**
 * How a run goes on that had ended, and how one takes over another's rounds: the events that say so,
 * worked out from a journal. Pure.
 */
import type { WeightsId } from "../core/ids.ts";
import {
  isTerminal,
  type Parent,
  type SessionContinued,
  type SessionEntry,
  type SessionEvent,
  type SessionSubmitted,
} from "./events.ts";
import { fold, openRound, resumePoint, roundsOver, type SessionState } from "./state.ts";

/**
 * Restores a run in the midst of its round, as if it had never ended. Clients whose answers are
 * still due train, and so do those that failed in the open round if the run failed of it, and those
 * whose updates are lost.
 *
 * @param entries of a journal, or of a checkpoint
 * @param lost stored updates that the store does not have any more
 */
export function restored(
  entries: readonly SessionEntry[],
  lost: ReadonlySet<WeightsId>,
): SessionContinued {
  const whole = foldRunning(entries);
  const open = openRound(whole)?.round ?? null;
  const hasFailed = entries.at(-1)!.event.type === "session_failed";
  const state = foldRunning(entries.filter(({ event }) => {
    if (event.type === "client_failed") return !(hasFailed && event.round === open);
    return !(event.type === "update_received" && lost.has(event.weights));
  }));
  return {
    type: "session_continued",
    how: "restore",
    rounds: state.rounds.length,
    point: resumePoint(state),
  };
}

/**
 * Revives a run from its last finished round with whichever clients are there: its model and its
 * history stay, the open round and what selector and aggregator know of the clients go.
 */
export function revived(entries: readonly SessionEntry[]): SessionContinued {
  const state = foldRunning(entries);
  const fresh = foldRunning(entries.slice(0, 1));
  return {
    type: "session_continued",
    how: "revive",
    rounds: roundsOver(state),
    point: { ...resumePoint(fresh), weights: state.weights },
  };
}

/**
 * The journal of a fork: the parent's up to the end of a round, under another id and config.
 *
 * @param submitted the fork's submission, with its parent
 */
export function forked(
  entries: readonly SessionEntry[],
  submitted: SessionSubmitted & { readonly parent: Parent },
): [SessionSubmitted, ...SessionEvent[]] {
  const { parent: { round }, config } = submitted;
  // A run that was restored from a checkpoint has done the rounds after it twice.
  const end = entries.findLastIndex(({ event }) =>
    event.type === "round_finished" && event.round === round
  );
  const shared = entries.slice(1).filter(({ event }, i) =>
    i < end ? !isTerminal(event) : event.type === "round_validated" && event.round <= round
  );
  const events = shared.map(({ event }) => event);
  const before = foldRunning(entries).config.session_config;
  const after = config.session_config;
  const state = foldEvents([submitted, ...events]);
  const isOther = (key: "aggregator" | "client_selection") =>
    !isEqual([before[key], before[`${key}_args`]], [after[key], after[`${key}_args`]]);
  return [submitted, ...events, {
    type: "session_continued",
    how: "fork",
    rounds: round,
    point: {
      ...resumePoint(state),
      // What another strategy has noted down means nothing to this one.
      ...(isOther("client_selection") && { selectorState: null }),
      ...(isOther("aggregator") && { aggregatorState: null, kept: {} }),
    },
  }];
}

/** Rounds of a run after which it can be forked, if their weights are there. */
export function forkableRounds({ rounds }: SessionState): Map<number, WeightsId> {
  return new Map(
    rounds.flatMap(({ round, finished }) =>
      finished === null ? [] : [[round, finished.weights] as const]
    ),
  );
}

/** The state as it was before the run ended. */
export function foldRunning(entries: readonly SessionEntry[]): SessionState {
  const last = entries.at(-1)?.event;
  const running = last !== undefined && isTerminal(last) ? entries.slice(0, -1) : entries;
  return fold(running.map((entry, i) => ({ ...entry, seq: i + 1 })))!;
}

function foldEvents(events: readonly SessionEvent[]): SessionState {
  return foldRunning(events.map((event, i) => ({ seq: i + 1, at: 0, event })));
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
