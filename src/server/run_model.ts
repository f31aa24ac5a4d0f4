/** The model of a run on the leader: built, checked against the validation set, evaluated there. */
import type { SessionConfig } from "../config/session_config.ts";
import { DataError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import type { ModelPackage } from "../core/model_package.ts";
import type { RunModel } from "../session/run_context.ts";
import type { InitialModel, Trainer } from "../training/trainer.ts";

/** Where the leader's validation sets are, and whether one is there. */
export interface ValidationSets {
  /** The folder of a validation set; null if there is none of that name. */
  find(name: string): Promise<string | null>;
  /** The folder in which they are looked for. */
  readonly root: string;
}

/** A model that was built and fits the leader's data. */
export interface PreparedModel {
  readonly modelPackage: ModelPackage;
  readonly initial: InitialModel;
  readonly seed: number;
  /** Folder of the validation set; null to run without one. */
  readonly validationFolder: string | null;
}

/**
 * Builds the model of a run with its initial weights and checks that it fits the validation set.
 *
 * @throws {ModelError} the package does not build a model, or it does not fit the data
 * @throws {DataError} the validation set is named but not there, or cannot be read
 */
export async function prepareModel(
  config: SessionConfig,
  modelPackage: ModelPackage,
  seed: number,
  trainer: Trainer,
  validationSets: ValidationSets,
): Promise<PreparedModel> {
  const source = { modelPackage, args: config.model_config.model_args };
  const validationFolder = await findValidationSet(config, validationSets);
  // First, as a trainer that may read the data can also do the rest without a new start of its worker.
  if (validationFolder !== null) {
    await trainer.check(source, validationFolder, config.client_training_config.loss_function);
  }
  const initial = await trainer.initialise(source, seed);
  return { modelPackage, initial, seed, validationFolder };
}

async function findValidationSet(
  config: SessionConfig,
  sets: ValidationSets,
): Promise<string | null> {
  if (config.session_config.validation_round_interval === 0) return null;
  const named = config.server_training_config.validation_dataset;
  const folder = await sets.find(named ?? config.client_training_config.dataset);
  if (folder === null && named !== null) {
    throw new DataError(
      `Cannot find server_training_config.validation_dataset "${named}" in ${sets.root}: put it ` +
        `there, name another, or set session_config.validation_round_interval to 0`,
    );
  }
  return folder;
}

/**
 * A prepared model as the round loop uses it.
 *
 * @param trainer gives the trainer; not called for a run without a validation set
 */
export function runModel(
  config: SessionConfig,
  { modelPackage, initial, seed, validationFolder }: PreparedModel,
  trainer: () => Trainer,
): RunModel {
  const args: JsonObject = config.model_config.model_args;
  // Given away: in a run of large models one more model is much.
  let unused: Uint8Array<ArrayBuffer> | null = initial.weights;
  return {
    modelPackage,
    async initialWeights(asked) {
      const given = unused;
      unused = null;
      if (asked === seed && given !== null) return given;
      return (await trainer().initialise({ modelPackage, args }, asked)).weights;
    },
    validate: validationFolder === null ? null : (weights, signal) =>
      trainer().evaluate({
        modelPackage,
        args,
        datasetFolder: validationFolder,
        // A copy: the trainer takes the bytes into its worker, and they are still being sent.
        weights: new Uint8Array(weights),
        batchSize: config.server_training_config.global_model_validation_batch_size,
        loss: config.client_training_config.loss_function,
        splitSeed: null,
      }, signal),
  };
}
