/** A session as plain data, folded from its journal by a pure function. */
import type { SessionConfig } from "../config/session_config.ts";
import { JournalError } from "../core/errors.ts";
import type { ClientId, ClientRef, SessionId, WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Evaluation } from "../core/metrics.ts";
import type {
  ClientFailed,
  Continuation,
  Parent,
  Replacement,
  SessionContinued,
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
  /** The run of which it is a fork; null if it began by itself. */
  readonly parent: Parent | null;
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
  /** How it went on last, and with how many rounds; null if it never had to. */
  readonly continued: { readonly how: Continuation; readonly rounds: number } | null;
}

/** What describes a run, its rounds and its journal. */
const DESCRIPTION = [
  ...["id", "config", "seed", "model", "parent", "rounds", "parameters"] as const,
  ...["status", "reason", "submittedAt", "startedAt", "endedAt", "seq", "continued"] as const,
] satisfies readonly (keyof SessionState)[];

/** What a run goes on from, beside its rounds: weights, answers that are due, strategies' states. */
export type ResumePoint = Omit<SessionState, typeof DESCRIPTION[number]>;

/** The {@link ResumePoint} of a state. */
export function resumePoint(state: SessionState): ResumePoint {
  const point: Partial<SessionState> = { ...state };
  for (const key of DESCRIPTION) delete (point as { [K in typeof key]?: unknown })[key];
  return point as ResumePoint;
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
  if (state.endedAt !== null && event.type !== "session_continued") {
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
  const { session, config, seed, model, parent = null } = event;
  return {
    id: session,
    config,
    seed,
    model,
    parent,
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
    continued: null,
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
    case "session_continued":
      return continued(state, event);
    default:
      // A journal may come from another version.
      throw new JournalError(
        `Cannot fold "${(event satisfies never as SessionEvent).type}" into session ${state.id}: ` +
          "this version does not know it",
      );
  }
}

function continued(
  state: SessionState,
  { how, rounds: count, point }: SessionContinued,
): Partial<SessionState> {
  const { inFlight, pending } = point;
  const isPending = ({ weights }: UpdateReceived) => pending.some((one) => one.weights === weights);
  const rounds = state.rounds.slice(0, count).map((round) =>
    round.finished !== null ? round : {
      ...round,
      // What is to be done again has neither succeeded nor failed yet.
      updates: round.updates.filter(isPending),
      failures: round.failures.filter(({ client }) => inFlight[client.id] === undefined),
    }
  );
  return {
    ...point,
    rounds,
    status: point.weights === null ? "queued" : "running",
    reason: null,
    endedAt: null,
    continued: { how, rounds: rounds.length },
  };
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
