/**
 * Aggregation: many updates to one global model. Strategies see no network, no clock, no store; the
 * result does not depend on the order of arrival, as updates come in order of client name.
 */
import type { GenericSchema } from "valibot";
import type { ClientRef, WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Weights } from "../core/weights.ts";

/** An assignment of a client. */
export interface Assigned {
  readonly client: ClientRef;
  /** The round for which the client was selected: it starts from that round's global weights. */
  readonly round: number;
  /** The group, such as a tier, for which it was selected; null without groups. */
  readonly group: string | null;
}

/** An update that has arrived and was checked. */
export interface Update extends Assigned {
  /** Identity of its encoded weights. */
  readonly weights: WeightsId;
  /** Items it was trained on; more than 0. */
  readonly samples: number;
}

/** Where a round stands. */
export interface RoundStanding {
  /** Clients that are still expected to answer, in this round or from earlier ones. */
  readonly inFlight: readonly Assigned[];
  /** Updates not yet aggregated, in order of arrival. */
  readonly updates: readonly Update[];
  /** Failures in this round. */
  readonly failures: number;
}

/**
 * Reads floats `start` to `end` of a flat array; so that a strategy can work tile by tile and hold
 * neither all arrays nor one whole.
 *
 * @param into where to put them, `end - start` floats; such as memory that kernels work on
 * @returns `into` if it is given and was filled; else other floats, which are only to be read
 */
export type RangeReader<T> = (
  of: T,
  start: number,
  end: number,
  into?: Float32Array<ArrayBuffer>,
) => Promise<Float32Array>;

/** Reads an update. */
export type UpdateReader = RangeReader<Update>;

/** Reads floats `start` to `end` of weights that the strategy has kept under a name. */
export type KeptReader = (name: string, start: number, end: number) => Promise<Float32Array>;

/** What a strategy is given. */
export interface AggregationInput<State extends JsonObject> {
  /** The current global weights; not to be written. */
  readonly global: Weights;
  /** The round that is being completed. */
  readonly round: number;
  /** Those of the strategy's own choice: at least one, in order of client name. */
  readonly updates: readonly Update[];
  readonly read: UpdateReader;
  readonly state: State;
  /** Names of the weights that it has kept. */
  readonly kept: readonly string[];
  readonly readKept: KeptReader;
  /**
   * Keeps weights beyond the round, laid out as `global`, under a name; they replace those of the
   * same name once the round is finished.
   */
  keep(name: string, values: Float32Array): Promise<void>;
}

/** An aggregation strategy. Its functions may also answer with a promise. */
export interface Aggregator<Args extends JsonObject, State extends JsonObject> {
  /** Schema of `aggregator_args`. */
  readonly args: GenericSchema<unknown, Args>;
  /** State before the first round. */
  initial(args: Args): State | Promise<State>;
  /**
   * The updates with which the round is complete; null to wait for more. None says that there is
   * nothing to wait for: the round is given up unless other clients can be selected.
   */
  ready(
    standing: RoundStanding,
    args: Args,
  ): readonly Update[] | null | Promise<readonly Update[] | null>;
  /** Writes the new global weights, laid out as `global`, into `result`. @returns the next state */
  aggregate(
    input: AggregationInput<State>,
    args: Args,
    result: Float32Array,
  ): Promise<State>;
}
