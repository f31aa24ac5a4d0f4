/** What a client of a round is told to do. */
import type { ClientRef, WeightsId } from "../core/ids.ts";
import type { ModelPackage } from "../core/model_package.ts";
import type { TrainJob } from "../rpc/transport.ts";
import { trainingSeed } from "./seeds.ts";
import type { SessionState } from "./state.ts";

/** Who trains what. */
export interface Selected {
  readonly client: ClientRef;
  /** The round for which it was selected. */
  readonly round: number;
  readonly modelPackage: ModelPackage;
  /** The global weights to start from. */
  readonly weights: WeightsId;
}

/** The job of a selected client; its seed depends on round and name, not on ids or order. */
export function trainJob(state: SessionState, selected: Selected): TrainJob {
  const { seed, selected: all } = state.rounds[selected.round - 1]!;
  const { client } = selected;
  const hasTwin = all.some(({ id, name }) => name === client.name && id !== client.id);
  return jobOf(
    state,
    selected,
    trainingSeed(seed, hasTwin ? `${client.name} ${client.id}` : client.name),
  );
}

/** The job of a client that validates the global weights before a round: nothing random is in it. */
export function validationJob(state: SessionState, selected: Selected): TrainJob {
  return jobOf(state, selected, 0);
}

/** Seconds of a benchmark without a limit of its own. */
const BENCHMARK_SECONDS = 30;
/** Passes over the data that no benchmark reaches: its limits end it. */
const ENDLESS_EPOCHS = 1_000_000;

/** The job by which a client is measured: the session's training, within the benchmark's limits. */
export function benchmarkJob(state: SessionState, selected: Selected): TrainJob {
  const job = jobOf(state, selected, trainingSeed(state.seed, selected.client.name));
  const { benchmark_config: bench } = state.config;
  const { timeout_duration_s: seconds, bench_minibatch_count: miniBatches } = bench;
  return {
    ...job,
    dataset: bench.dataset ?? job.dataset,
    options: {
      ...job.options,
      batchSize: bench.batch_size ?? job.options.batchSize,
      learningRate: bench.learning_rate ?? job.options.learningRate,
      epochs: ENDLESS_EPOCHS,
      timeLimitSeconds: seconds ?? (miniBatches === null ? BENCHMARK_SECONDS : null),
      maxMiniBatches: miniBatches,
    },
    trainer: "train",
  };
}

function jobOf(
  { id: session, config }: SessionState,
  { round, modelPackage, weights }: Selected,
  seed: number,
): TrainJob {
  const { client_training_config: training, model_config: { model_args: modelArgs } } = config;
  return {
    session,
    round,
    modelId: modelPackage.id,
    packageHash: modelPackage.hash,
    modelArgs,
    dataset: training.dataset,
    weights,
    options: {
      batchSize: training.batch_size,
      epochs: training.epochs,
      learningRate: training.learning_rate,
      loss: training.loss_function,
      optimizer: training.optimizer,
      optimizerArgs: training.optimizer_args,
      proximalMu: training.proximal_mu,
      timeLimitSeconds: training.train_timeout_duration_s,
      maxMiniBatches: training.max_mini_batches,
    },
    seed,
    trainer: training.trainer,
  };
}
