/** How a round ends: which updates complete it, and what the aggregator makes of them. */
import type { AggregationInput, RoundStanding, Update } from "../aggregation/aggregator.ts";
import { SessionFailedError } from "../core/errors.ts";
import { byName, type WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import { allocateWeights, type EncodedWeights } from "../core/weights.ts";
import type { UpdateReceived } from "./events.ts";
import type { EngineContext } from "./run_context.ts";
import { openRound, type SessionState } from "./state.ts";
import { updateReader } from "./update_reader.ts";

/** What an aggregation gives. */
export interface Aggregated {
  readonly weights: EncodedWeights;
  readonly state: JsonObject;
  /** The updates that are in it, in order of client name. */
  readonly updates: readonly UpdateReceived[];
  /** What the aggregator keeps from now on, by its own names. */
  readonly kept: Readonly<Record<string, WeightsId>>;
}

/** The aggregations of one run. */
export class AggregationStep {
  constructor(readonly context: Pick<EngineContext, "journal" | "aggregator">) {}

  get #state(): SessionState {
    return this.context.journal.state;
  }

  get #args(): JsonObject {
    return this.#state.config.session_config.aggregator_args;
  }

  /** The updates that complete the round under way; null while more are to come. */
  async ready(): Promise<readonly UpdateReceived[] | null> {
    const { inFlight, pending } = this.#state;
    const updates = pending.map(updateOf);
    const standing: RoundStanding = {
      inFlight: Object.values(inFlight),
      updates,
      failures: openRound(this.#state)!.failures.length,
    };
    const ready = await this.context.aggregator.ready(standing, this.#args);
    if (ready === null) return null;
    return pending
      .filter((_, i) => ready.some((one) => isSame(one, updates[i]!)))
      .sort((a, b) => byName(a.client, b.client) || a.round - b.round);
  }

  /** Aggregates updates that complete the round. */
  async aggregate(
    global: EncodedWeights,
    updates: readonly UpdateReceived[],
  ): Promise<Aggregated> {
    const { aggregator, journal: { store: { blobs } } } = this.context;
    const { kept } = this.#state;
    const nowKept: Record<string, WeightsId> = { ...kept };
    const weights = allocateWeights(global.layout);
    const read = updateReader(blobs);
    const input: AggregationInput<JsonObject> = {
      global,
      round: openRound(this.#state)!.round,
      updates: updates.map(updateOf),
      read,
      state: this.#state.aggregatorState ?? await aggregator.initial(this.#args),
      kept: Object.keys(kept),
      readKept: (name, start, end) => read(keptAs(name, kept), start, end),
      async keep(name, values) {
        const encoded = allocateWeights(global.layout);
        encoded.values.set(values);
        nowKept[name] = (await blobs.put(encoded.bytes)).id;
      },
    };
    const state = await aggregator.aggregate(input, this.#args, weights.values);
    return { weights, state, updates, kept: nowKept };
  }
}

function updateOf({ client, round, weights, samples, group }: UpdateReceived): Update {
  return { client, round, weights, samples, group: group ?? null };
}

function isSame(a: Update, b: Update): boolean {
  return a.client.id === b.client.id && a.round === b.round;
}

/** Kept weights are read as an update is: both are blobs of the same layout. */
function keptAs(name: string, kept: Readonly<Record<string, WeightsId>>) {
  if (!Object.hasOwn(kept, name)) {
    throw new SessionFailedError(`Cannot read the kept weights "${name}": there are none`);
  }
  return { weights: kept[name]!, client: { id: name, name } };
}
