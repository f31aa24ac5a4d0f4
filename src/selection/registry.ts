/** Every selection strategy by the names that a config may use. */
import type { JsonObject } from "../core/json.ts";
import { all } from "./all.ts";
import { highLoss, lowLoss } from "./by_loss.ts";
import { fedasync } from "./fedasync.ts";
import { fedat } from "./fedat.ts";
import { haccs } from "./haccs.ts";
import { haccsLite } from "./haccs_lite.ts";
import { oddEven } from "./odd_even.ts";
import { probabilisticHighLoss } from "./probabilistic_high_loss.ts";
import { random } from "./random.ts";
import { reliable } from "./reliable.ts";
import type { Selector } from "./selector.ts";
import { tieredRoundrobin } from "./tiered_roundrobin.ts";
import { tifl } from "./tifl.ts";
import { tiflLite } from "./tifl_lite.ts";

/** A selector whose types of arguments and state are known to itself only. */
// deno-lint-ignore no-explicit-any -- the registry is where the strategies' own types end
export type AnySelector = Selector<any, any> & Selector<JsonObject, JsonObject>;

/** The strategies; arguments must have passed the strategy's own schema. */
const strategies = {
  random,
  fedavg: random,
  random_subset: random,
  all,
  all_clients: all,
  odd_even: oddEven,
  high_loss: highLoss,
  low_loss: lowLoss,
  probabilistic_high_loss: probabilisticHighLoss,
  reliable,
  reliable_fedavg: reliable,
  fedasync,
  fedat,
  tifl,
  tifl_lite: tiflLite,
  tiered_roundrobin: tieredRoundrobin,
  haccs,
  haccs_lite: haccsLite,
  haccs_lite_deprecated: haccsLite,
};

/** A name of `session_config.client_selection`; the original's spellings are aliases. */
export type SelectorName = keyof typeof strategies;

/** All names. */
export const SELECTOR_NAMES = Object.keys(strategies) as readonly SelectorName[];

/** The strategies by name. */
export const selectors: Readonly<Record<SelectorName, AnySelector>> = strategies;
