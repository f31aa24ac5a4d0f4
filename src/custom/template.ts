/** What `flotilla new strategy` writes: a strategy to start from, and the types that it has. */
import type { StrategyKind } from "./custom_strategy.ts";

/** Name of the file with the types. */
export const TYPES_FILE = "flotilla_strategy.d.ts";

/** The types of a strategy: the contract, without what only the leader needs. */
export const STRATEGY_TYPES =
  `/** Types of Flotilla's own strategies; they are erased before a strategy runs. */

/** What JSON can hold; a strategy's state is kept in the run's journal. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

/** A client by id and name. */
export interface ClientRef {
  readonly id: string;
  readonly name: string;
}

/** An assignment of a client. */
export interface Assigned {
  readonly client: ClientRef;
  /** The round for which the client was selected: it started from that round's global weights. */
  readonly round: number;
  /** The group, such as a tier, for which it was selected; null without groups. */
  readonly group: string | null;
}

/** An update that has arrived and was checked. */
export interface Update extends Assigned {
  /** SHA-256 of its encoded weights. */
  readonly weights: string;
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

/** One tensor of the model in the flat array of all weights. */
export interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Index of its first element. */
  readonly offset: number;
  readonly size: number;
}

/** What an aggregation is given. */
export interface AggregationInput<State extends JsonObject = JsonObject> {
  /** The current global weights. */
  readonly global: { readonly layout: readonly Tensor[]; readonly values: Float32Array };
  /** The round that is being completed. */
  readonly round: number;
  /** Those that \`ready\` gave, in order of client name. */
  readonly updates: readonly Update[];
  readonly state: State;
  /** Reads floats \`start\` to \`end\` of an update. */
  read(update: Update, start: number, end: number): Promise<Float32Array>;
  /** Names of the weights that the strategy has kept. */
  readonly kept: readonly string[];
  readKept(name: string, start: number, end: number): Promise<Float32Array>;
  /** Keeps weights beyond the round under a name. */
  keep(name: string, values: Float32Array): Promise<void>;
}

/** Loss and accuracy (a fraction; null for a model that does not classify). */
export interface Evaluation {
  readonly loss: number;
  readonly accuracy: number | null;
  readonly samples: number;
}

/** What a client measured in its last training. */
export interface TrainingMetrics {
  readonly loss: number;
  readonly accuracy: number | null;
  readonly test: Evaluation | null;
  readonly epochs: number;
  readonly miniBatches: number;
  readonly trainSeconds: number;
}

/** A client that could train now. */
export interface Candidate extends ClientRef {
  readonly samples: number;
  /** Fraction of its items by label, where known. */
  readonly labelDistribution: Readonly<Record<string, number>> | null;
  readonly lastMetrics: TrainingMetrics | null;
  readonly lastRound: number | null;
  /** Its last answer to \`validate\`, and the round before which. */
  readonly lastValidation: { readonly round: number; readonly evaluation: Evaluation } | null;
  /** Benchmarked, else measured in training; null if unknown. */
  readonly secondsPerBatch: number | null;
  /** Whether its last assignment brought no update. */
  readonly failedLast: boolean;
}

/** A client that is at work. */
export interface BusyClient extends Candidate {
  readonly assignedRound: number;
  readonly group: string | null;
}

/** What a selection is given. */
export interface SelectionView {
  /** Counts from 1. */
  readonly round: number;
  /** In order of name; may be empty. */
  readonly candidates: readonly Candidate[];
  readonly busy: readonly BusyClient[];
  /** Updates that have come for this round. */
  readonly updates: number;
}

/** What a selection decides. */
export interface Selection<State extends JsonObject = JsonObject> {
  /** Ids of candidates; empty only while others are busy. */
  readonly train: readonly string[];
  readonly state: State;
  /** The group for which each trains, for aggregators that know groups. */
  readonly groups?: Readonly<Record<string, string>>;
  /** Who may replace a client that does not answer; all others unless given. */
  readonly spares?: readonly string[];
}
`;

/** A strategy to start from, as TypeScript. */
export const STRATEGIES: Readonly<Record<StrategyKind, string>> = {
  aggregator: `/**
 * An aggregation strategy of your own: session_config.aggregator names this file. It runs without
 * files and network, and may import nothing but types. aggregator_args come as \`args\`.
 */
import type { AggregationInput, JsonObject, RoundStanding, Update } from "./${TYPES_FILE}";

/** What the first round starts from; kept with the run, as JSON. */
export function initial(_args: JsonObject): JsonObject {
  return { rounds: 0 };
}

/** The updates that complete the round; null to wait for more. */
export function ready({ inFlight, updates }: RoundStanding): readonly Update[] | null {
  return inFlight.length === 0 ? updates : null;
}

/** Writes the new global weights into \`result\` and returns the next state. */
export async function aggregate(
  { updates, read, state }: AggregationInput,
  _args: JsonObject,
  result: Float32Array,
): Promise<JsonObject> {
  const total = updates.reduce((sum, { samples }) => sum + samples, 0);
  const sums = new Float64Array(result.length);
  for (const update of updates) {
    const values = await read(update, 0, result.length);
    const share = update.samples / total;
    for (let i = 0; i < sums.length; i++) sums[i] = sums[i]! + share * values[i]!;
  }
  result.set(sums);
  return { rounds: Number(state["rounds"]) + 1 };
}
`,
  client_selection: `/**
 * A selection strategy of your own: session_config.client_selection names this file. It runs without
 * files and network, and may import nothing but types. client_selection_args come as \`args\`.
 */
import type { JsonObject, Selection, SelectionView } from "./${TYPES_FILE}";

/** What the first round starts from; kept with the run, as JSON. */
export function initial(_args: JsonObject): JsonObject {
  return {};
}

/** Who trains in a round. \`random\` gives numbers in [0, 1) from the run's seed. */
export function select(
  { candidates }: SelectionView,
  state: JsonObject,
  args: JsonObject,
  random: () => number,
): Selection {
  const count = Math.min(Number(args["clients"] ?? 2), candidates.length);
  const shuffled = candidates
    .map((client) => ({ client, order: random() }))
    .sort((a, b) => a.order - b.order);
  return { train: shuffled.slice(0, count).map(({ client }) => client.id), state };
}
`,
};
