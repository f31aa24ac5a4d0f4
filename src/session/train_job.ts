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
export function trainJob(
  { id: session, config, rounds }: SessionState,
  { client, round, modelPackage, weights }: Selected,
): TrainJob {
  const { client_training_config: training, model_config: { model_args: modelArgs } } = config;
  const { seed, selected } = rounds.find((record) => record.round === round)!;
  const hasTwin = selected.some(({ id, name }) => name === client.name && id !== client.id);
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
      timeLimitSeconds: training.train_timeout_duration_s,
      maxMiniBatches: training.max_mini_batches,
    },
    seed: trainingSeed(seed, hasTwin ? `${client.name} ${client.id}` : client.name),
    trainer: training.trainer,
  };
}
