/**
 * Every strategy as a session config that is comparable with the others': half of the 20 clients are
 * at work at a time, or a tier, where the strategy lets one say so.
 */
import type { ConfigParts } from "./fleet.ts";

/** Clients are measured before round 1, so that there are tiers from the start. */
export const MEASURED = { benchmark_config: { skip_benchmark: false, bench_minibatch_count: 16 } };

const HALF = { percentage_client_selection: 50 };
/** As many as there are kinds of clients. */
const TIERS = { num_tiers: 5 };
/** A round of one tier takes a fraction of a second: the leader evaluates every second one. */
const SOME_ROUNDS = { validation_round_interval: 2 };

function selection(name: string, args: Record<string, unknown>, more: ConfigParts = {}) {
  return {
    ...more,
    session_config: {
      client_selection: name,
      client_selection_args: args,
      ...more["session_config"],
    },
  };
}

/** The strategies by the names that the table has. */
export const STRATEGIES = {
  fedavg: selection("random", HALF),
  fedasync: selection("fedasync", HALF, {
    session_config: {
      aggregator: "fedasync",
      aggregator_args: { alpha: 0.5, mixing: 0.6 },
      validation_round_interval: 5,
    },
  }),
  fedat: selection("fedat", { ...TIERS, num_clients_selected_per_tier: 2 }, {
    ...MEASURED,
    session_config: { aggregator: "fedat", ...SOME_ROUNDS },
  }),
  // With one credit each tier has one of five rounds, and the slow one holds up no other.
  tifl: selection("tifl", {
    ...TIERS,
    num_clients: 4,
    credits_per_tier: 1,
    validation_round_interval: 2,
  }, { ...MEASURED, session_config: SOME_ROUNDS }),
  tifl_lite: selection("tifl_lite", TIERS, { ...MEASURED, session_config: SOME_ROUNDS }),
  tiered_roundrobin: selection("tiered_roundrobin", TIERS, {
    ...MEASURED,
    session_config: SOME_ROUNDS,
  }),
  haccs: selection("haccs", { ...HALF, ...TIERS }, MEASURED),
  haccs_lite: selection("haccs_lite", { ...HALF, ...TIERS }),
  all_clients: selection("all_clients", {}),
  odd_even: selection("odd_even", HALF),
  high_loss: selection("high_loss", HALF),
  low_loss: selection("low_loss", HALF),
  probabilistic_high_loss: selection("probabilistic_high_loss", HALF),
  reliable: selection("reliable", HALF),
} satisfies Record<string, ConfigParts>;

/** A name of {@link STRATEGIES}. */
export type StrategyName = keyof typeof STRATEGIES;
