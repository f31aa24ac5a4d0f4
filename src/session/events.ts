/**
 * What happens in a session. The journal of these events is the session's truth: everything else
 * (state, results, tables) is folded from it.
 */
import type { SessionConfig } from "../config/session_config.ts";
import type { ClientId, ClientRef, PackageHash, SessionId, WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Benchmark, Evaluation, TrainingMetrics } from "../core/metrics.ts";
import type { JournalEntry } from "../state/store.ts";
import type { ResumePoint } from "./state.ts";

/** A user has asked for a run; it is queued. */
export interface SessionSubmitted {
  readonly type: "session_submitted";
  readonly session: SessionId;
  readonly config: SessionConfig;
  /** Unsigned 32 bits; from the config or drawn at submission. */
  readonly seed: number;
  readonly model: {
    readonly id: string;
    readonly hash: PackageHash;
    /** Blob that holds the whole package, so that a run can go on after a restart. */
    readonly blob: string;
  };
  /** Blob that holds the strategies which are the user's own code. @default none */
  readonly strategies?: string;
  /** The run of which this one is a fork, and after which of its rounds. @default none */
  readonly parent?: Parent;
}

/** Where a forked run comes from. */
export interface Parent {
  readonly session: SessionId;
  /** The last round that the two have in common. */
  readonly round: number;
}

/** How a run that does not begin at its first round came to go on. */
export type Continuation = "restore" | "revive" | "fork";

/**
 * A run that had ended goes on, or one that has taken over the rounds of another: from `rounds`
 * rounds, the last of which may be open, and the point that is written here.
 */
export interface SessionContinued {
  readonly type: "session_continued";
  readonly how: Continuation;
  /** Rounds that stay, counted from the first. */
  readonly rounds: number;
  readonly point: ResumePoint;
}

/** The run has begun: the model is built and checked, its initial weights are stored. */
export interface SessionStarted {
  readonly type: "session_started";
  readonly weights: WeightsId;
  /** Number of model parameters. */
  readonly parameters: number;
}

/** A selected client that did not answer its echo, and who took its place. */
export interface Replacement {
  readonly client: ClientRef;
  readonly reason: string;
  /** Null if nobody was left. */
  readonly by: ClientRef | null;
}

/** Clients were selected, have answered their echo, and are told to train. */
export interface RoundStarted {
  readonly type: "round_started";
  /** Counts from 1. */
  readonly round: number;
  /** Seed from which each client's seed derives. */
  readonly seed: number;
  /** In order of name. */
  readonly selected: readonly ClientRef[];
  readonly replaced: readonly Replacement[];
  /** Clients that could have trained too; with them a restarted leader selects as this one would. */
  readonly spares: readonly ClientRef[];
  /** The global weights that they start from. */
  readonly weights: WeightsId;
  /** The group, such as a tier, for which each client was selected. @default none */
  readonly groups?: Readonly<Record<ClientId, string>>;
  /** The selector's own state after this selection. */
  readonly selectorState: JsonObject;
}

/** Clients were added to the round under way, as others have answered or failed. */
export interface ClientsAdded {
  readonly type: "clients_added";
  readonly round: number;
  /** In order of name. */
  readonly selected: readonly ClientRef[];
  readonly replaced: readonly Replacement[];
  /** @default none */
  readonly groups?: Readonly<Record<ClientId, string>>;
  readonly selectorState: JsonObject;
}

/** What a client answered to the request to validate the global weights on its own test split. */
export interface ClientValidation {
  readonly client: ClientRef;
  /** Null if it did not answer, or has no test split. */
  readonly evaluation: Evaluation | null;
  /** Why there is no evaluation; null if there is one. */
  readonly reason: string | null;
  /** Bytes that it was sent for it; absent where that is not known. */
  readonly bytesDown?: number;
}

/** Clients have validated the global weights, for the selection of a round. */
export interface ClientsValidated {
  readonly type: "clients_validated";
  /** The round that is about to be selected for. */
  readonly round: number;
  readonly results: readonly ClientValidation[];
}

/** How fast a client trains; measured once for each client, model package and batch size. */
export interface ClientBenchmarked {
  readonly type: "client_benchmarked";
  readonly client: ClientRef;
  /** Null if it could not be measured. */
  readonly benchmark: Benchmark | null;
  /** Why it could not; null if it could. */
  readonly reason: string | null;
}

/** A client's update has arrived, was checked and is stored as a blob. */
export interface UpdateReceived {
  readonly type: "update_received";
  /** The round for which the client was selected. */
  readonly round: number;
  readonly client: ClientRef;
  /** The group for which it was selected. @default none */
  readonly group?: string;
  readonly weights: WeightsId;
  readonly samples: number;
  readonly metrics: TrainingMetrics;
  /** Payload bytes sent to the client for this assignment: package and weights it lacked. */
  readonly bytesDown: number;
  /** Payload bytes of the update. */
  readonly bytesUp: number;
  /** Seconds from the start of its assignment to the stored update. */
  readonly seconds: number;
}

/** A client did not deliver a usable update. */
export interface ClientFailed {
  readonly type: "client_failed";
  readonly round: number;
  readonly client: ClientRef;
  readonly reason: string;
}

/** The round's updates are aggregated to new global weights. */
export interface RoundFinished {
  readonly type: "round_finished";
  readonly round: number;
  readonly weights: WeightsId;
  /** Seconds since the round's start. */
  readonly seconds: number;
  /** The clients' training metrics, averaged by samples. */
  readonly metrics: { readonly loss: number; readonly accuracy: number | null };
  readonly aggregatorState: JsonObject;
  /** The updates that are in it, by client and assigned round. @default all that had come */
  readonly aggregated?: readonly { readonly client: ClientId; readonly round: number }[];
  /** Weights that the aggregator keeps, by its own names. @default none */
  readonly kept?: Readonly<Record<string, WeightsId>>;
}

/**
 * The round has ended with fewer updates than `min_updates`: those that came count nowhere, the
 * global weights stay as they are, and the run goes on with the next round. Who failed, and why, is
 * in the events before it.
 */
export interface RoundGivenUp {
  readonly type: "round_given_up";
  readonly round: number;
  /** Such as "0 updates as min_updates is 1". */
  readonly reason: string;
  /** Seconds since the round's start. */
  readonly seconds: number;
}

/** The leader has evaluated a round's global weights on its validation set. */
export interface RoundValidated {
  readonly type: "round_validated";
  readonly round: number;
  readonly validation: Evaluation;
}

/** All rounds are done. */
export interface SessionFinished {
  readonly type: "session_finished";
  readonly weights: WeightsId;
}

/** The run cannot go on. */
export interface SessionFailed {
  readonly type: "session_failed";
  readonly reason: string;
}

/** A user has stopped the run. */
export interface SessionStopped {
  readonly type: "session_stopped";
  readonly reason: string;
}

export type SessionEvent =
  | SessionSubmitted
  | SessionStarted
  | ClientBenchmarked
  | ClientsValidated
  | RoundStarted
  | ClientsAdded
  | UpdateReceived
  | ClientFailed
  | RoundFinished
  | RoundGivenUp
  | RoundValidated
  | SessionFinished
  | SessionFailed
  | SessionStopped
  | SessionContinued;

/** An event in its place in the journal. */
export type SessionEntry = JournalEntry<SessionEvent>;

/**
 * What is worth watching but not worth keeping: it is streamed to whoever follows the run and never
 * journalled.
 */
export type LiveNote =
  | {
    readonly type: "waiting_for_clients";
    readonly present: number;
    readonly needed: number;
  }
  | {
    /** The run stands still, as the leader cannot write to its store or its folder of results. */
    readonly type: "paused";
    readonly reason: string;
  }
  | {
    readonly type: "resumed";
    /** Seconds that the run stood still. */
    readonly seconds: number;
  }
  | {
    readonly type: "progress";
    readonly round: number;
    readonly client: ClientRef;
    readonly batchesDone: number;
    readonly batchesTotal: number;
    /** Mean loss so far; null before the first batch. */
    readonly loss: number | null;
  };

/** One thing that a follower of a run sees. */
export type StreamItem =
  | { readonly kind: "event"; readonly entry: SessionEntry }
  | { readonly kind: "note"; readonly note: LiveNote };

/** Whether nothing can follow this event. */
export function isTerminal(event: SessionEvent): boolean {
  return event.type === "session_finished" || event.type === "session_failed" ||
    event.type === "session_stopped";
}
