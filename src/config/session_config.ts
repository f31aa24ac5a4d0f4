/**
 * The file that describes one run. Keys are the original's, all with defaults except rounds, model
 * and dataset; the names of strategies are checked where the registries are known.
 */
import * as v from "valibot";
import {
  args,
  flag,
  folderName,
  modelClass,
  modelId,
  orNull,
  required,
  requiredSection,
  seconds,
  secondsOrZero,
  section,
  text,
  uint32,
  wholeNumber,
  withDefault,
  withDefaultOrNull,
  withoutEffect,
} from "./keys.ts";
import { sessionModelSection } from "./model_section.ts";

const learningRate = v.pipe(v.number(), v.finite(), v.gtValue(0));

/** Schema of a session config. */
export const sessionConfigSchema = v.strictObject({
  session_config: section({
    session_id: orNull(folderName, "Label of the run, for people; every run gets an id of its own"),
    use_gpu: withoutEffect(
      withDefault(flag, false, "Whether the leader may use a GPU, in the original"),
      "here: training.device of the server's and of each client's configuration says what computes",
    ),
    aggregator: withDefault(
      text,
      "fedavg",
      "How updates become the global model: a name, or a file of your own (./my_strategy.ts)",
    ),
    aggregator_args: withDefault(args, {}, "Arguments of the aggregator"),
    client_selection: withDefault(
      text,
      "random",
      "Who trains in a round: a name, or a file of your own (./my_strategy.ts)",
    ),
    client_selection_args: withDefault(args, {}, "Arguments of the client selection"),
    checkpoint_interval: orNull(wholeNumber(0), "Rounds between two checkpoints; null or 0: none"),
    keep_rounds: withDefaultOrNull(
      wholeNumber(1),
      2,
      "Last rounds whose weights stay in the state, beside the best one's and each checkpoint's; null: all",
    ),
    validation_round_interval: withDefault(
      wholeNumber(0),
      1,
      "Rounds between two evaluations on the leader's validation set; 0: never",
    ),
    generate_plots: withDefault(flag, false, "Whether the run leaves plot.html and plot.svg"),
    seed: orNull(
      uint32,
      "Seed of everything random in the run, an unsigned 32-bit number; null: drawn and recorded",
    ),
    min_clients: withDefault(wholeNumber(1), 1, "Clients that must be there before round 1 starts"),
    wait_for_clients_s: withDefault(
      secondsOrZero,
      60,
      "Seconds to wait for min_clients",
    ),
    min_updates: withDefault(wholeNumber(1), 1, "Updates without which a round is given up"),
    max_failed_rounds: withDefault(
      wholeNumber(0),
      3,
      "Rounds in a row that may be given up, one more fails the run; 0: the first one does",
    ),
    echo_timeout_s: withDefault(
      seconds,
      5,
      "Seconds that a selected client has to answer before it is replaced",
    ),
  }, "The run as a whole"),
  benchmark_config: section({
    skip_benchmark: orNull(
      flag,
      "Whether to train without benchmarking clients first; null: unless a limit of benchmarks is " +
        "written here and the client selection goes by speed",
    ),
    model_id: orNull(modelId, "Model to benchmark with"),
    model_dir: orNull(text, "Folder of that model's package, the same as of the training"),
    model_class: modelClass,
    dataset: orNull(folderName, "Dataset to benchmark on"),
    batch_size: orNull(wholeNumber(1), "Items a mini-batch"),
    learning_rate: orNull(learningRate, "Step size"),
    timeout_duration_s: orNull(seconds, "Seconds a benchmark may take"),
    bench_minibatch_count: orNull(wholeNumber(1), "Mini-batches a benchmark takes"),
  }, "Measuring clients before the first round"),
  server_training_config: requiredSection({
    model_dir: orNull(text, "Folder of the model package, relative to the config file"),
    global_model_validation_batch_size: withDefault(
      wholeNumber(1),
      100,
      "Items a batch when the leader evaluates",
    ),
    num_training_rounds: required(wholeNumber(1), "Number of rounds"),
    validation_dataset: orNull(
      folderName,
      "Name of the leader's validation set; null: the clients' dataset, where the leader has it",
    ),
    global_timeout_duration_s: orNull(seconds, "Seconds the whole run may take; null: no limit"),
  }, "The leader's part"),
  client_training_config: requiredSection({
    model_id: required(modelId, "Name of the model"),
    model_class: modelClass,
    dataset: required(folderName, "Name of the clients' dataset folder"),
    epochs: withDefault(wholeNumber(1), 1, "Passes over the local data in a round"),
    batch_size: withDefault(wholeNumber(1), 32, "Items a mini-batch"),
    learning_rate: withDefault(learningRate, 0.01, "Step size of the optimizer"),
    train_timeout_duration_s: withDefaultOrNull(
      seconds,
      300,
      "Seconds after which a client stops with what it has; null: no limit",
    ),
    max_mini_batches: orNull(
      wholeNumber(1),
      "Mini-batches after which a client stops with what it has; null: no limit",
    ),
    loss_function: withDefault(text, "crossentropy", "Name of a built-in loss"),
    loss_function_custom: withDefault(
      flag,
      true,
      "True, as in the original, for a built-in loss; false is not supported",
    ),
    optimizer: withDefault(text, "sgd", "Name of a built-in optimizer"),
    optimizer_custom: withDefault(
      flag,
      true,
      "True, as in the original, for a built-in optimizer; false is not supported",
    ),
    optimizer_args: withDefault(args, {}, "Further arguments of the optimizer"),
    proximal_mu: withDefault(
      v.pipe(v.number(), v.finite(), v.minValue(0)),
      0,
      "Weight of FedProx's pull to the global weights, (mu / 2) ||w - w_global||^2; 0: none",
    ),
    trainer: withDefault(
      v.picklist(["train", "echo"]),
      "train",
      "train, or echo: sends back the weights it got, for measuring all but the training",
    ),
  }, "The clients' part"),
  model_config: section(sessionModelSection, "How the model is built"),
});

/** A valid session config; property names are the YAML keys, durations are seconds. */
export type SessionConfig = v.InferOutput<typeof sessionConfigSchema>;
