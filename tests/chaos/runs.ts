/** What a campaign runs again and again. */
import { fileURLToPath } from "node:url";

export const CLIENTS = 3;
const MLP = fileURLToPath(new URL("../../models/MLP", import.meta.url));

/** Checkpoints are written after every so many rounds. */
export const CHECKPOINT_INTERVAL = 2;

/** A run of all three clients, a few tenths of a second of training for each update. */
export interface ChaosRun {
  readonly rounds: number;
  readonly updatesPerRound: number;
  /** Whether its model does not depend on who answers first. */
  readonly isReproducible: boolean;
  /** Keys of `session_config`. */
  readonly strategy: Record<string, unknown>;
}

/** By the name of the aggregator. */
export const chaosRuns = {
  fedavg: {
    rounds: 6,
    updatesPerRound: CLIENTS,
    isReproducible: true,
    strategy: { client_selection: "all", min_updates: CLIENTS, max_failed_rounds: 0 },
  },
  fedasync: {
    rounds: 3 * 6,
    updatesPerRound: 1,
    isReproducible: false,
    strategy: {
      aggregator: "fedasync",
      client_selection: "fedasync",
      client_selection_args: { client_fraction: 1 },
    },
  },
} as const satisfies Record<string, ChaosRun>;

export type ChaosStrategy = keyof typeof chaosRuns;

/** The session config of a run. */
export function sessionConfig({ rounds, strategy }: ChaosRun) {
  return {
    session_config: {
      min_clients: CLIENTS,
      seed: 42,
      wait_for_clients_s: 60,
      checkpoint_interval: CHECKPOINT_INTERVAL,
      ...strategy,
    },
    server_training_config: { model_dir: MLP, num_training_rounds: rounds },
    client_training_config: {
      model_id: "MLP",
      dataset: "MNIST",
      learning_rate: 0.05,
      batch_size: 1,
      epochs: 100,
      max_mini_batches: 4000,
    },
    model_config: { model_args: { hidden: 80 } },
  };
}
