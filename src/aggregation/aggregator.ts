/**
 * Aggregation: many updates to one global model. Strategies see no network, no clock, no store; the
 * result does not depend on the order of arrival, as updates come in order of client name.
 */
import type { GenericSchema } from "valibot";
import type { ClientRef, WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Weights } from "../core/weights.ts";

/** An update that has arrived and was checked. */
export interface Update {
  readonly client: ClientRef;
  /** The round for which the client was selected. */
  readonly round: number;
  /** Identity of its encoded weights. */
  readonly weights: WeightsId;
  /** Items it was trained on; more than 0. */
  readonly samples: number;
}

/** Where a round stands. */
export interface RoundStanding {
  /** Clients that are still expected to answer, in this round or from earlier ones. */
  readonly inFlight: number;
  /** Updates not yet aggregated. */
  readonly updates: number;
  readonly failures: number;
}

/**
 * Reads floats `start` to `end` of an update's flat array; so that a strategy can work tile by tile
 * and hold neither all updates nor one whole.
 *
 * @param into where to put them, `end - start` floats; such as memory that kernels work on
 * @returns `into` if it is given and was filled; else other floats, which are only to be read
 */
export type UpdateReader = (
  update: Update,
  start: number,
  end: number,
  into?: Float32Array<ArrayBuffer>,
) => Promise<Float32Array>;

/** What a strategy is given. */
export interface AggregationInput<State extends JsonObject> {
  /** The current global weights; not to be written. */
  readonly global: Weights;
  /** The round that is being completed. */
  readonly round: number;
  /** At least one, in order of client name. */
  readonly updates: readonly Update[];
  readonly read: UpdateReader;
  readonly state: State;
}

/** An aggregation strategy. */
export interface Aggregator<Args extends JsonObject, State extends JsonObject> {
  /** Schema of `aggregator_args`. */
  readonly args: GenericSchema<unknown, Args>;
  /** State before the first round. */
  initial(args: Args): State;
  /** Whether the round is over and what came in can be aggregated. */
  isComplete(standing: RoundStanding, args: Args): boolean;
  /** Writes the new global weights, laid out as `global`, into `result`. @returns the next state */
  aggregate(
    input: AggregationInput<State>,
    args: Args,
    result: Float32Array,
  ): Promise<State>;
}
