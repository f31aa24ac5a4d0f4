/** A session as plain data, folded from its journal by a pure function. */
import type { SessionConfig } from "../config/session_config.ts";
import { JournalError } from "../core/errors.ts";
import type { ClientId, ClientRef, SessionId, WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Evaluation } from "../core/metrics.ts";
import type {
  ClientFailed,
  Replacement,
  SessionEntry,
  SessionEvent,
  SessionSubmitted,
  UpdateReceived,
} from "./events.ts";

export type SessionStatus = "queued" | "running" | "finished" | "failed" | "stopped";

/** A round as it is shown and reported; `weights`, `seconds`, `metrics` come when it is finished. */
export interface RoundRecord {
  readonly round: number;
  readonly seed: number;
  /** Wall-clock milliseconds. */
  readonly startedAt: number;
  /** The global weights from which its clients start. */
  readonly startWeights: WeightsId;
  readonly selected: readonly ClientRef[];
  readonly replaced: readonly Replacement[];
  readonly spares: readonly ClientRef[];
  readonly updates: readonly UpdateReceived[];
  readonly failures: readonly ClientFailed[];
  readonly finished: {
    readonly weights: WeightsId;
    readonly seconds: number;
    readonly metrics: { readonly loss: number; readonly accuracy: number | null };
  } | null;
  readonly validation: Evaluation | null;
}

/** Everything about a session. */
export interface SessionState {
  readonly id: SessionId;
  readonly config: SessionConfig;
  readonly seed: number;
  readonly model: SessionSubmitted["model"];
  readonly status: SessionStatus;
  /** Why it failed or was stopped. */
  readonly reason: string | null;
  /** Wall-clock milliseconds; null until it happens. */
  readonly submittedAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** The current global weights; null before the start. */
  readonly weights: WeightsId | null;
  readonly parameters: number | null;
  /** All rounds so far; the last one is open if it has no `finished`. */
  readonly rounds: readonly RoundRecord[];
  /** Clients that owe an answer, with the round for which they were selected. */
  readonly inFlight: Readonly<
    Record<ClientId, { readonly client: ClientRef; readonly round: number }>
  >;
  /** Updates that no round has aggregated yet. */
  readonly pending: readonly UpdateReceived[];
  readonly selectorState: JsonObject | null;
  readonly aggregatorState: JsonObject | null;
  /** Number of journal entries folded: the sequence number to append at. */
  readonly seq: number;
}

/**
 * Folds one entry into the state. Pure; entries come in order, the first is `session_submitted`.
 *
 * @param state null before the first entry
 * @throws {JournalError} the entry cannot follow, as nothing can once the session has ended
 */
export function reduce(state: SessionState | null, entry: SessionEntry): SessionState {
  const { event, at, seq } = entry;
  if (state === null) {
    if (event.type !== "session_submitted") {
      throw new JournalError(`Cannot begin a session with "${event.type}"`);
    }
    return submitted(event, at, seq);
  }
  if (seq !== state.seq + 1) {
    throw new JournalError(`Cannot fold entry ${seq} of session ${state.id} after ${state.seq}`);
  }
  if (state.endedAt !== null) {
    throw new JournalError(
      `Cannot fold "${event.type}" into session ${state.id}: it has ended as ${state.status}`,
    );
  }
  return { ...state, ...change(state, entry), seq };
}

/** Folds a whole journal; null if it is empty. */
export function fold(entries: Iterable<SessionEntry>): SessionState | null {
  let state: SessionState | null = null;
  for (const entry of entries) state = reduce(state, entry);
  return state;
}

/** The round that is under way; null between rounds. */
export function openRound(state: SessionState): RoundRecord | null {
  const last = state.rounds.at(-1);
  return last !== undefined && last.finished === null ? last : null;
}

/** Number of rounds that have finished. */
export function finishedRounds(state: SessionState): number {
  return state.rounds.length - (openRound(state) === null ? 0 : 1);
}

function submitted(event: SessionSubmitted, at: number, seq: number): SessionState {
  const { session, config, seed, model } = event;
  return {
    id: session,
    config,
    seed,
    model,
    status: "queued",
    reason: null,
    submittedAt: at,
    startedAt: null,
    endedAt: null,
    weights: null,
    parameters: null,
    rounds: [],
    inFlight: {},
    pending: [],
    selectorState: null,
    aggregatorState: null,
    seq,
  };
}

function change(state: SessionState, { event, at }: SessionEntry): Partial<SessionState> {
  switch (event.type) {
    case "session_submitted":
      throw new JournalError(`Cannot submit session ${state.id} twice`);
    case "session_started":
      return {
        status: "running",
        startedAt: at,
        weights: event.weights,
        parameters: event.parameters,
      };
    case "round_started": {
      const { round, seed, selected, replaced, spares, selectorState, weights } = event;
      const opened: RoundRecord = {
        round,
        seed,
        startedAt: at,
        startWeights: weights,
        selected,
        replaced,
        spares,
        updates: [],
        failures: [],
        finished: null,
        validation: null,
      };
      const added = selected.map((client) => [client.id, { client, round }]);
      return {
        rounds: [...state.rounds, opened],
        inFlight: { ...state.inFlight, ...Object.fromEntries(added) },
        selectorState,
      };
    }
    case "update_received":
      return {
        ...withLastRound(state, (last) => ({ ...last, updates: [...last.updates, event] })),
        inFlight: without(state.inFlight, event.client.id),
        pending: [...state.pending, event],
      };
    case "client_failed":
      return {
        ...withLastRound(state, (last) => ({ ...last, failures: [...last.failures, event] })),
        inFlight: without(state.inFlight, event.client.id),
      };
    case "round_finished": {
      const { weights, seconds, metrics, aggregatorState } = event;
      return {
        ...withLastRound(state, (last) => ({ ...last, finished: { weights, seconds, metrics } })),
        weights,
        pending: [],
        aggregatorState,
      };
    }
    case "round_validated":
      return {
        rounds: state.rounds.map((round) =>
          round.round === event.round ? { ...round, validation: event.validation } : round
        ),
      };
    case "session_finished":
      return { status: "finished", endedAt: at };
    case "session_failed":
      return { status: "failed", reason: event.reason, endedAt: at, inFlight: {} };
    case "session_stopped":
      return { status: "stopped", reason: event.reason, endedAt: at, inFlight: {} };
    default:
      // A journal may come from another version.
      throw new JournalError(
        `Cannot fold "${(event satisfies never as SessionEvent).type}" into session ${state.id}: ` +
          "this version does not know it",
      );
  }
}

function withLastRound(state: SessionState, change: (last: RoundRecord) => RoundRecord) {
  const last = state.rounds.at(-1);
  if (last === undefined) {
    throw new JournalError(`Cannot change a round of ${state.id}: it has none`);
  }
  return { rounds: [...state.rounds.slice(0, -1), change(last)] };
}

function without<T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> {
  const { [key]: _, ...rest } = record;
  return rest;
}
