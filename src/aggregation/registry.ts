/** Every aggregation strategy by the name that a config uses. */
import type { JsonObject } from "../core/json.ts";
import type { Aggregator } from "./aggregator.ts";
import { fedasync } from "./fedasync.ts";
import { fedat } from "./fedat.ts";
import { fedavg } from "./fedavg.ts";

/** Names of `session_config.aggregator`. */
export const AGGREGATOR_NAMES = ["fedavg", "fedasync", "fedat"] as const;

export type AggregatorName = typeof AGGREGATOR_NAMES[number];

/** An aggregator whose types of arguments and state are known to itself only. */
// deno-lint-ignore no-explicit-any -- the registry is where the strategies' own types end
export type AnyAggregator = Aggregator<any, any> & Aggregator<JsonObject, JsonObject>;

/** The strategies; arguments must have passed the strategy's own schema. */
export const aggregators: Readonly<Record<AggregatorName, AnyAggregator>> = {
  fedavg,
  fedasync,
  fedat,
};
