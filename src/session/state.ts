/** A session as plain data, folded from its journal by a pure function. */
import type { SessionConfig } from "../config/session_config.ts";
import { JournalError } from "../core/errors.ts";
import type { ClientId, ClientRef, SessionId, WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Evaluation } from "../core/metrics.ts";
import { withoutClient } from "./by_client.ts";
import { type ClientHistory, withAnswer, withMeasures } from "./client_history.ts";
import type {
  ClientFailed,
  ClientsAdded,
  Continuation,
  Parent,
  Replacement,
  RoundStarted,
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
  /**
   * Of an open round those that have come so far, of a finished one those that are in it, of one
   * that was given up those that had come and count nowhere.
   */
  readonly updates: readonly UpdateReceived[];
  readonly failures: readonly ClientFailed[];
  readonly finished: {
    readonly weights: WeightsId;
    readonly seconds: number;
    readonly metrics: { readonly loss: number; readonly accuracy: number | null };
  } | null;
  /** Why it ended without new weights, and after how long; null if it did not. */
  readonly givenUp: { readonly reason: string; readonly seconds: number } | null;
  readonly validation: Evaluation | null;
}

/** An assignment of a client that owes its answer. */
export interface Assigned {
  readonly client: ClientRef;
  readonly round: number;
  readonly group: string | null;
}

/** Everything about a session. */
export interface SessionState {
  readonly id: SessionId;
  readonly config: SessionConfig;
  readonly seed: number;
  readonly model: SessionSubmitted["model"];
  /** The run of which it is a fork; null if it began by itself. */
  readonly parent: Parent | null;
  /** Blob of the strategies that are the user's own code; null if there are none. */
  readonly strategies: string | null;
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
  /** All rounds so far; the last one is open if it has neither finished nor was given up. */
  readonly rounds: readonly RoundRecord[];
  /** Clients that owe an answer, with the round and the group for which they were selected. */
  readonly inFlight: Readonly<Record<ClientId, Assigned>>;
  /** Updates that no round has aggregated yet. */
  readonly pending: readonly UpdateReceived[];
  readonly selectorState: JsonObject | null;
  readonly aggregatorState: JsonObject | null;
  /** Weights that the aggregator keeps, by its own names. */
  readonly kept: Readonly<Record<string, WeightsId>>;
  /** What is known of each client that has answered anything. */
  readonly clients: Readonly<Record<ClientId, ClientHistory>>;
  /** The round for which clients have validated last; 0 for none. */
  readonly validatedFor: number;
  /** Number of journal entries folded: the sequence number to append at. */
  readonly seq: number;
  /** How it went on last, and with how many rounds; null if it never had to. */
  readonly continued: { readonly how: Continuation; readonly rounds: number } | null;
}

/** What describes a run, its rounds and its journal. */
const DESCRIPTION = [
  ...["id", "config", "seed", "model", "strategies", "parent", "rounds", "parameters"] as const,
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
  return last !== undefined && !isOver(last) ? last : null;
}

/** Whether a round has finished or was given up. */
export function isOver({ finished, givenUp }: RoundRecord): boolean {
  return finished !== null || givenUp !== null;
}

/** The round whose weights are the run's; undefined before the first has finished. */
export function lastFinished({ rounds }: Pick<SessionState, "rounds">): RoundRecord | undefined {
  return rounds.findLast(({ finished }) => finished !== null);
}

/** Number of rounds that have finished or were given up. */
export function roundsOver(state: SessionState): number {
  return state.rounds.length - (openRound(state) === null ? 0 : 1);
}

/** Blobs of the code that a run consists of: its model's package, and strategies of the user. */
export function codeOf(
  { model, strategies }: Pick<SessionState, "model" | "strategies">,
): string[] {
  return strategies === null ? [model.blob] : [model.blob, strategies];
}

function submitted(event: SessionSubmitted, at: number, seq: number): SessionState {
  const { session, config, seed, model, strategies = null, parent = null } = event;
  return {
    id: session,
    config,
    seed,
    model,
    parent,
    strategies,
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
    kept: {},
    clients: {},
    validatedFor: 0,
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
        // Those of clients that were too late for the round before, or between the two.
        updates: state.pending,
        failures: [],
        finished: null,
        givenUp: null,
        validation: null,
      };
      return {
        rounds: [...state.rounds, opened],
        inFlight: { ...state.inFlight, ...assignedBy(event) },
        selectorState,
      };
    }
    case "clients_added":
      return {
        ...withLastRound(state, (last) => ({
          ...last,
          selected: [...last.selected, ...event.selected],
          replaced: [...last.replaced, ...event.replaced],
        })),
        inFlight: { ...state.inFlight, ...assignedBy(event) },
        selectorState: event.selectorState,
      };
    case "clients_validated":
    case "client_benchmarked":
      return {
        clients: withMeasures(state.clients, event),
        ...(event.type === "clients_validated" && { validatedFor: event.round }),
      };
    case "update_received":
      return {
        ...withLastRound(
          state,
          (last) => last.finished === null ? { ...last, updates: [...last.updates, event] } : last,
        ),
        inFlight: withoutClient(state.inFlight, event.client.id),
        pending: [...state.pending, event],
        clients: withAnswer(state.clients, event),
      };
    case "client_failed":
      return {
        ...withLastRound(state, (last) => ({ ...last, failures: [...last.failures, event] })),
        inFlight: withoutClient(state.inFlight, event.client.id),
        clients: withAnswer(state.clients, event),
      };
    case "round_finished": {
      const { weights, seconds, metrics, aggregatorState, aggregated, kept = state.kept } = event;
      const isIn = ({ client, round }: UpdateReceived) =>
        aggregated === undefined ||
        aggregated.some((one) => one.client === client.id && one.round === round);
      return {
        ...withLastRound(state, (last) => ({
          ...last,
          updates: state.pending.filter(isIn),
          finished: { weights, seconds, metrics },
        })),
        weights,
        pending: state.pending.filter((update) => !isIn(update)),
        aggregatorState,
        kept,
      };
    }
    case "round_given_up": {
      const { reason, seconds } = event;
      return {
        ...withLastRound(state, (last) => ({ ...last, givenUp: { reason, seconds } })),
        pending: [],
      };
    }
    case "round_validated":
      return {
        rounds: state.rounds.map((round) =>
          round.round === event.round ? { ...round, validation: event.validation } : round
        ),
      };
    case "session_finished":
      return { status: "finished", endedAt: at, inFlight: {} };
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
    isOver(round) ? round : {
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

function assignedBy({ round, selected, groups }: RoundStarted | ClientsAdded) {
  return Object.fromEntries(
    selected.map((client) => [client.id, { client, round, group: groups?.[client.id] ?? null }]),
  );
}
