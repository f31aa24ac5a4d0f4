/** Every selection strategy by the names that a config may use. */
import type { JsonObject } from "../core/json.ts";
import { all } from "./all.ts";
import { random } from "./random.ts";
import type { Selector } from "./selector.ts";

/** Names of `session_config.client_selection`; the original's spellings are aliases. */
export const SELECTOR_NAMES = ["random", "all", "fedavg", "all_clients"] as const;

export type SelectorName = typeof SELECTOR_NAMES[number];

/** A selector whose types of arguments and state are known to itself only. */
// deno-lint-ignore no-explicit-any -- the registry is where the strategies' own types end
export type AnySelector = Selector<any, any> & Selector<JsonObject, JsonObject>;

/** The strategies; arguments must have passed the strategy's own schema. */
export const selectors: Readonly<Record<SelectorName, AnySelector>> = {
  random,
  all,
  fedavg: random,
  all_clients: all,
};
