/** Client selection: who trains in a round. Pure: it sees no network, no clock, no store. */
import type { GenericSchema } from "valibot";
import type { ClientId, ClientRef } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Evaluation, TrainingMetrics } from "../core/metrics.ts";
import type { Prng } from "../core/prng.ts";

/** A client as a strategy sees it: where it stands in this session. */
export interface Candidate extends ClientRef {
  /** Items in its dataset. */
  readonly samples: number;
  /** Fraction of its items by label, where known. */
  readonly labelDistribution: Readonly<Record<string, number>> | null;
  /** What it measured when it last trained in this session. */
  readonly lastMetrics: TrainingMetrics | null;
  /** The round in which it last trained in this session. */
  readonly lastRound: number | null;
  /** Its last answer to a request to validate the global weights, and the round before which. */
  readonly lastValidation: { readonly round: number; readonly evaluation: Evaluation } | null;
  /** Seconds that a mini-batch takes it: benchmarked, else measured in training; null if unknown. */
  readonly secondsPerBatch: number | null;
  /** Whether its last assignment in this session brought no update. */
  readonly failedLast: boolean;
}

/** A client that is at work for this session and cannot be selected. */
export interface BusyClient extends Candidate {
  /** The round for which it was selected. */
  readonly assignedRound: number;
  /** The group for which it was selected; null without groups. */
  readonly group: string | null;
}

/** What a selector sees. */
export interface SelectionView {
  /** The round to select for, from 1. */
  readonly round: number;
  /**
   * Clients that could train now: they are active, idle and hold the session's dataset. In order of
   * name; may be empty.
   */
  readonly candidates: readonly Candidate[];
  /** Clients that owe an answer, of this round and of earlier ones, in order of name. */
  readonly busy: readonly BusyClient[];
  /** Updates that have come for this round and are not aggregated. */
  readonly updates: number;
}

/** What a selector decides. */
export interface Selection<State extends JsonObject> {
  /**
   * Clients that shall train; a subset of the candidates, none twice. It may be empty only while
   * others are busy.
   */
  readonly train: readonly ClientId[];
  /** What the selector wants to see again the next time. */
  readonly state: State;
  /** The group, such as a tier, for which each client trains. @default none */
  readonly groups?: Readonly<Record<ClientId, string>>;
  /** Who may replace a client that does not answer its echo. @default all other candidates */
  readonly spares?: readonly ClientId[];
}

/** A selection strategy. */
export interface Selector<Args extends JsonObject, State extends JsonObject> {
  /** Schema of `client_selection_args`. */
  readonly args: GenericSchema<unknown, Args>;
  /**
   * Whether it asks for `secondsPerBatch`, so that clients are worth measuring.
   *
   * @default {false}
   */
  readonly usesSpeed?: boolean;
  /** State before the first round. */
  initial(args: Args): State;
  /**
   * Whom to have validate the global weights before the selection for a round, which then finds the
   * results in `lastValidation`; asked once a round.
   *
   * @default nobody
   */
  validate?(view: SelectionView, state: State, args: Args): readonly ClientId[];
  select(view: SelectionView, state: State, args: Args, prng: Prng): Selection<State>;
  /**
   * Whom to add to the round under way, asked after each answer that does not complete it. Clients
   * that have answered or failed in this round are no candidates.
   *
   * @default nobody
   */
  refill?(view: SelectionView, state: State, args: Args, prng: Prng): Selection<State>;
}

/** The same function, whose answer may also be a promise. */
type Eventual<F> = F extends (...given: infer Given) => infer Answer
  ? (...given: Given) => Answer | Promise<Answer>
  : F;

/** A strategy that may run elsewhere, so that its answers take a while. */
export type EventualSelector<Args extends JsonObject, State extends JsonObject> = {
  readonly [K in keyof Selector<Args, State>]: Eventual<Selector<Args, State>[K]>;
};
