/** Client selection: who trains in a round. Pure: it sees no network, no clock, no store. */
import type { GenericSchema } from "valibot";
import type { ClientId, ClientRef } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { TrainingMetrics } from "../core/metrics.ts";
import type { Prng } from "../core/prng.ts";

/** A client that could train now: it is active, idle and holds the session's dataset. */
export interface Candidate extends ClientRef {
  /** Items in its dataset. */
  readonly samples: number;
  /** Fraction of its items by label, where known. */
  readonly labelDistribution: Readonly<Record<string, number>> | null;
  /** What it measured when it last trained in this session. */
  readonly lastMetrics: TrainingMetrics | null;
  /** The round in which it last trained in this session. */
  readonly lastRound: number | null;
}

/** What a selector sees. */
export interface SelectionView {
  /** The round to select for, from 1. */
  readonly round: number;
  /** In order of name; may be empty. */
  readonly candidates: readonly Candidate[];
}

/** What a selector decides. */
export interface Selection<State extends JsonObject> {
  /** Clients that shall train; a subset of the candidates, none twice. */
  readonly train: readonly ClientId[];
  /** What the selector wants to see again in the next round. */
  readonly state: State;
}

/** A selection strategy. */
export interface Selector<Args extends JsonObject, State extends JsonObject> {
  /** Schema of `client_selection_args`. */
  readonly args: GenericSchema<unknown, Args>;
  /** State before the first round. */
  initial(args: Args): State;
  select(view: SelectionView, state: State, args: Args, prng: Prng): Selection<State>;
}
