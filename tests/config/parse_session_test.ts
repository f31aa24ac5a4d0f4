/** Session configs: what is accepted, what defaults are filled in, and every refusal's words. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parseSessionConfig, sessionConfigFrom } from "../../src/config/parse_session.ts";
import { problemsOf, registries } from "./registries.ts";

const minimal = `server_training_config:
  num_training_rounds: 5
client_training_config:
  model_id: MLP
  dataset: MNIST
`;

function parse(text: string, ...overrides: string[]) {
  return parseSessionConfig(text, "config.yaml", registries, overrides);
}

function refused(text: string, ...overrides: string[]) {
  return problemsOf(() => parse(text, ...overrides));
}

Deno.test("parseSessionConfig() fills in every default", () => {
  assert.deepEqual(parse(minimal), {
    session_config: {
      session_id: null,
      use_gpu: false,
      aggregator: "fedavg",
      aggregator_args: {},
      client_selection: "random",
      client_selection_args: { client_fraction: 1 },
      checkpoint_interval: null,
      keep_rounds: 2,
      validation_round_interval: 1,
      generate_plots: false,
      seed: null,
      min_clients: 1,
      wait_for_clients_s: 60,
      min_updates: 1,
      max_failed_rounds: 3,
      echo_timeout_s: 5,
    },
    benchmark_config: {
      skip_benchmark: null,
      model_id: null,
      model_dir: null,
      model_class: null,
      dataset: null,
      batch_size: null,
      learning_rate: null,
      timeout_duration_s: null,
      bench_minibatch_count: null,
    },
    server_training_config: {
      model_dir: null,
      global_model_validation_batch_size: 100,
      num_training_rounds: 5,
      validation_dataset: null,
      global_timeout_duration_s: null,
    },
    client_training_config: {
      model_id: "MLP",
      model_class: null,
      dataset: "MNIST",
      epochs: 1,
      batch_size: 32,
      learning_rate: 0.01,
      train_timeout_duration_s: 300,
      max_mini_batches: null,
      loss_function: "crossentropy",
      loss_function_custom: true,
      optimizer: "sgd",
      optimizer_custom: true,
      proximal_mu: 0,
      optimizer_args: {},
      trainer: "train",
    },
    model_config: {
      model_args: {},
      use_custom_dataloader: false,
      custom_loader_args: {},
      use_custom_trainer: false,
      custom_trainer_args: {},
      use_custom_validator: false,
      custom_validator_args: {},
    },
  });
});

Deno.test("parseSessionConfig() accepts the original's quick-setup file", () => {
  const config = parse(`
session_config:
  session_id: facnn_fedavg_iid_docker
  use_gpu: False
  aggregator: fedavg
  aggregator_args: None
  client_selection: fedavg
  client_selection_args:
    client_fraction: 1
  checkpoint_interval: 1000
  validation_round_interval: 1
  generate_plots: False
benchmark_config:
  skip_benchmark: True
  model_id: FedAT_CNN
  model_dir: ../models/FedAT_CNN
  model_class: FedAT_CNN
  dataset: CIFAR10_IID
  batch_size: 4
  learning_rate: 0.0001
  timeout_duration_s: 180
  bench_minibatch_count: 500
server_training_config:
  model_dir: ../models/FedAT_CNN
  global_model_validation_batch_size: 100
  num_training_rounds: 100
  validation_dataset: CIFAR10_IID
client_training_config:
  model_id: FedAT_CNN
  model_class: FedAT_CNN
  dataset: CIFAR10_IID
  epochs: 3
  batch_size: 4
  learning_rate: 0.00005
  train_timeout_duration_s: 300
  loss_function: crossentropy
  loss_function_custom: True
  optimizer: adam
  optimizer_custom: True
model_config:
  use_custom_dataloader: False
  custom_loader_args: None
  use_custom_trainer: False
  custom_trainer_args: None
  use_custom_validator: False
  custom_validator_args: None
  model_args:
    num_classes: 10
`);
  assert.deepEqual(config.session_config.aggregator_args, {});
  assert.deepEqual(config.session_config.client_selection_args, { client_fraction: 1 });
  assert.equal(config.client_training_config.learning_rate, 0.00005);
  assert.deepEqual(config.model_config.custom_loader_args, {});
  assert.deepEqual(config.model_config.model_args, { num_classes: 10 });
});

Deno.test("parseSessionConfig() accepts the quickstart", async () => {
  const file = new URL("../../examples/quickstart/config.yaml", import.meta.url);
  const config = parse(await readFile(file, "utf8"));
  assert.equal(config.session_config.session_id, "quickstart");
  assert.equal(config.session_config.seed, 42);
  assert.equal(config.session_config.min_clients, 2);
  assert.deepEqual(config.session_config.client_selection_args, { num_clients_per_round: 2 });
  assert.equal(config.server_training_config.num_training_rounds, 5);
  assert.equal(config.server_training_config.model_dir, "../../models/LeNet5");
  assert.equal(config.server_training_config.validation_dataset, "MNIST");
  assert.equal(config.client_training_config.learning_rate, 0.003);
});

Deno.test("parseSessionConfig() names every missing key when the file is empty", () => {
  const missing = [
    "config.yaml server_training_config.num_training_rounds is missing: write the number of rounds",
    "config.yaml client_training_config.model_id is missing: write the name of the model",
    "config.yaml client_training_config.dataset is missing: write the name of the clients' dataset folder",
  ];
  assert.deepEqual(refused(""), missing);
  assert.deepEqual(refused("# nothing yet\n"), missing);
});

Deno.test("parseSessionConfig() places a missing key at its section", () => {
  assert.deepEqual(refused(minimal.replace("  model_id: MLP\n", "")), [
    "config.yaml:3:1 client_training_config.model_id is missing: write the name of the model",
  ]);
  assert.deepEqual(refused(minimal.replace("model_id: MLP", "model_id: None")), [
    "config.yaml:4:13 client_training_config.model_id is missing: write the name of the model",
  ]);
  assert.deepEqual(refused(minimal.replace("num_training_rounds: 5", "num_training_rounds:")), [
    "config.yaml:2:3 server_training_config.num_training_rounds is missing: write the number of rounds",
  ]);
});

Deno.test("parseSessionConfig() refuses an unknown aggregator with a suggestion", () => {
  assert.deepEqual(refused(`${minimal}session_config:\n  aggregator: fedagv\n`), [
    'config.yaml:7:15 session_config.aggregator "fedagv" is not an aggregator; did you mean "fedavg"? Known: fedavg',
  ]);
});

Deno.test("parseSessionConfig() refuses names that objects inherit", () => {
  assert.deepEqual(refused(`${minimal}session_config:\n  aggregator: constructor\n`), [
    'config.yaml:7:15 session_config.aggregator "constructor" is not an aggregator. Known: fedavg',
  ]);
  assert.deepEqual(refused(`${minimal}session_config:\n  __proto__: {a: 1}\n`).length, 1);
});

Deno.test("parseSessionConfig() refuses an unknown client selection", () => {
  assert.deepEqual(refused(`${minimal}session_config: {client_selection: rando}\n`), [
    'config.yaml:6:36 session_config.client_selection "rando" is not a client selection; did you mean "random"? Known: random, all, fedavg, all_clients, by_speed',
  ]);
});

Deno.test("parseSessionConfig() refuses an unknown loss and optimizer", () => {
  assert.deepEqual(refused(`${minimal}  loss_function: cross_entropy\n  optimizer: lion\n`), [
    'config.yaml:6:18 client_training_config.loss_function "cross_entropy" is not a loss; did you mean "crossentropy"? Known: crossentropy, mean_square_error, binary_crossentropy, binary_l1loss, binary_kldiv',
    'config.yaml:7:14 client_training_config.optimizer "lion" is not an optimizer. Known: sgd, momentum, adam, adagrad, adadelta, rmsprop',
  ]);
});

Deno.test("parseSessionConfig() says what to write for losses and optimizers from Python", () => {
  const python = "  loss_function: my.loss\n  loss_function_custom: False\n" +
    "  optimizer: my.optimizer\n  optimizer_custom: False\n";
  assert.deepEqual(refused(minimal + python), [
    "config.yaml:7:25 client_training_config.loss_function_custom must be true: false imports a Python module, which does not run here; write one of the built-in names in loss_function: crossentropy, mean_square_error, binary_crossentropy, binary_l1loss, binary_kldiv",
    "config.yaml:9:21 client_training_config.optimizer_custom must be true: false imports a Python module, which does not run here; write one of the built-in names in optimizer: sgd, momentum, adam, adagrad, adadelta, rmsprop",
  ]);
});

Deno.test("parseSessionConfig() says what to write for own loaders, trainers and validators", () => {
  const own = "model_config:\n  use_custom_dataloader: True\n  use_custom_trainer: True\n" +
    "  use_custom_validator: True\n";
  assert.deepEqual(
    refused(minimal + own),
    [
      ["dataloader", "loader", 26, ""],
      ["trainer", "trainer", 23, ", unless custom_trainer_args has mu, for FedProx"],
      ["validator", "validator", 25, ""],
    ].map(
      ([key, part, column, unless], i) =>
        `config.yaml:${
          7 + i
        }:${column} model_config.use_custom_${key} must be false, for the built-in ${part}${unless}: a Python ${part} does not run here, and own ones are not supported yet: got true`,
    ),
  );
});

Deno.test("parseSessionConfig() reads the original's FedProx trainer as the built-in one", () => {
  const own = (args: string) =>
    `${minimal}model_config:\n  use_custom_trainer: True\n  custom_trainer_args: ${args}\n`;
  const { client_training_config: training, model_config: model } = parse(
    own("{mu: 0.1, lr: 0.05}"),
  );
  assert.deepEqual([training.proximal_mu, training.learning_rate], [0.1, 0.05]);
  assert.deepEqual([model.use_custom_trainer, model.custom_trainer_args], [false, {}]);
  assert.equal(parse(own("{mu: 0, lr: None}")).client_training_config.learning_rate, 0.01);
  assert.deepEqual(refused(own("{mu: -1, lr: 0, clip: 5}")), [
    "config.yaml:8:29 model_config.custom_trainer_args.mu must be a number of at least 0: got -1",
    "config.yaml:8:37 model_config.custom_trainer_args.lr must be a number more than 0: got 0",
    "config.yaml:8:46 model_config.custom_trainer_args.clip is not an argument of FedProx's trainer. Known: mu, lr",
  ]);
});

Deno.test("parseSessionConfig() checks strategy arguments with the strategy's schema", () => {
  const withArgs = (args: string) =>
    `${minimal}session_config:\n  client_selection_args:\n    ${args}\n`;
  assert.deepEqual(refused(withArgs("num_clients_per_round: 0")), [
    "config.yaml:8:28 session_config.client_selection_args.num_clients_per_round must be at least 1: got 0",
  ]);
  assert.deepEqual(refused(withArgs("num_clients_per_round: 1.5")), [
    "config.yaml:8:28 session_config.client_selection_args.num_clients_per_round must be a whole number: got 1.5",
  ]);
  assert.deepEqual(refused(withArgs("client_fracton: 1")), [
    'config.yaml:8:5 session_config.client_selection_args.client_fracton is not a known key; did you mean "client_fraction"?',
  ]);
  assert.deepEqual(refused(`${minimal}session_config:\n  aggregator_args: {rate: 1}\n`), [
    "config.yaml:7:21 session_config.aggregator_args.rate is not a known key: none is allowed here",
  ]);
  assert.deepEqual(
    parse(withArgs("num_clients_per_round: None")).session_config.client_selection_args,
    { client_fraction: 1 },
  );
  assert.deepEqual(refused(withArgs("{num_clients_per_round: 1, client_fraction: 1}")), [
    "config.yaml:7:3 session_config.client_selection_args takes one of its two keys",
  ]);
  assert.deepEqual(refused(withArgs("client_fraction: 2")), [
    "config.yaml:8:22 session_config.client_selection_args.client_fraction must be a fraction: got 2",
  ]);
});

Deno.test("parseSessionConfig() suggests the nearest key", () => {
  assert.deepEqual(refused(`${minimal}session_config:\n  agregator: fedavg\n`), [
    'config.yaml:7:3 session_config.agregator is not a known key; did you mean "aggregator"?',
  ]);
  assert.deepEqual(refused(`${minimal}sesion_config: {}\n`), [
    'config.yaml:6:1 sesion_config is not a known key; did you mean "session_config"?',
  ]);
});

Deno.test("parseSessionConfig() says in which section a misplaced key belongs", () => {
  assert.deepEqual(refused(`epochs: 3\n${minimal}`), [
    'config.yaml:1:1 epochs is not a known key; did you mean "client_training_config.epochs"?',
  ]);
  assert.deepEqual(refused(`dataset: MNIST\n${minimal}`), [
    'config.yaml:1:1 dataset is not a known key; did you mean "benchmark_config.dataset" or "client_training_config.dataset"?',
  ]);
});

Deno.test("parseSessionConfig() lists the known keys when none is near", () => {
  assert.deepEqual(refused(`${minimal}colour: red\n`), [
    "config.yaml:6:1 colour is not a known key. Known: session_config, benchmark_config, server_training_config, client_training_config, model_config",
  ]);
});

Deno.test("parseSessionConfig() reports all problems in the order of the file", () => {
  assert.deepEqual(
    refused(`session_config:
  aggregator: fedagv
  seed: -1
  colour: red
server_training_config:
  num_training_rounds: -5
client_training_config:
  dataset: ../MNIST
  epochs: one
  bach_size: 4
`),
    [
      'config.yaml:2:15 session_config.aggregator "fedagv" is not an aggregator; did you mean "fedavg"? Known: fedavg',
      "config.yaml:3:9 session_config.seed must be at least 0: got -1",
      "config.yaml:4:3 session_config.colour is not a known key. Known: session_id, use_gpu, aggregator, aggregator_args, client_selection, client_selection_args, checkpoint_interval, keep_rounds, validation_round_interval, generate_plots, seed, min_clients, wait_for_clients_s, min_updates, max_failed_rounds, echo_timeout_s",
      "config.yaml:6:24 server_training_config.num_training_rounds must be at least 1: got -5",
      "config.yaml:7:1 client_training_config.model_id is missing: write the name of the model",
      'config.yaml:8:12 client_training_config.dataset must be a plain folder name, without "/", "\\", ".." or control characters: got "../MNIST"',
      'config.yaml:9:11 client_training_config.epochs must be a number: got "one"',
      'config.yaml:10:3 client_training_config.bach_size is not a known key; did you mean "batch_size"?',
    ],
  );
});

const values: readonly [string, string][] = [
  ["session_config.use_gpu=1", "must be true or false: got 1"],
  ["session_config.use_gpu=yes", 'must be true or false: got "yes"'],
  ["session_config.session_id=2024", "must be text: got 2024, write it in quotes"],
  ["session_config.session_id=''", 'must not be empty: got ""'],
  [
    "session_config.session_id=a/b",
    'must be a plain folder name, without "/", "\\", ".." or control characters: got "a/b"',
  ],
  [
    `session_config.session_id=${"x".repeat(101)}`,
    `must have at most 100 characters: got "${"x".repeat(60)}..."`,
  ],
  ["session_config.seed=4294967296", "must be at most 4294967295: got 4294967296"],
  ["session_config.seed=0.5", "must be a whole number: got 0.5"],
  ["session_config.min_clients=0", "must be at least 1: got 0"],
  ["session_config.wait_for_clients_s=-1", "must be at least 0: got -1"],
  ["session_config.wait_for_clients_s=.inf", "must be a finite number: got Infinity"],
  ["session_config.echo_timeout_s=0", "must be more than 0: got 0"],
  ["session_config.aggregator_args=[1]", "must be a section of JSON values: got a list"],
  ["client_training_config.optimizer_args={a: .nan}", "must be a section of JSON values"],
  ["session_config.aggregator=[]", "must be text: got an empty list"],
  ["session_config=[1]", "must be a section of keys: got a list"],
  ["session_config=5", "must be a section of keys: got 5"],
  ["server_training_config.num_training_rounds=1e300", "must be a whole number: got 1e+300"],
  [
    'client_training_config.model_id="a b"',
    'must be letters, digits, "_", "-" and "." only: got "a b"',
  ],
  [
    "client_training_config.model_id=..",
    'must be letters, digits, "_", "-" and "." only: got ".."',
  ],
  ["client_training_config.learning_rate=0", "must be more than 0: got 0"],
  ["client_training_config.learning_rate=.nan", "must be a number: got NaN"],
  [
    "client_training_config.trainer=ecko",
    '"ecko" is not allowed; did you mean "echo"? Known: train, echo',
  ],
  ["client_training_config.trainer=7", 'must be one of ("train" | "echo"): got 7'],
];

for (const [setting, reason] of values) {
  const key = setting.slice(0, setting.indexOf("="));
  Deno.test(`parseSessionConfig() refuses ${setting.slice(0, 60)}`, () => {
    assert.deepEqual(refused(minimal, setting), [`--set ${key} ${reason}`]);
  });
}

Deno.test("parseSessionConfig() reads a null time limit as none", () => {
  const config = parse(minimal, "client_training_config.train_timeout_duration_s=None");
  assert.equal(config.client_training_config.train_timeout_duration_s, null);
});

Deno.test("sessionConfigFrom() names a body's keys without lines", () => {
  const body = {
    session_config: { aggregator: "fedagv" },
    server_training_config: { num_training_rounds: "5" },
    client_training_config: { model_id: "MLP", dataset: "MNIST" },
  };
  assert.deepEqual(problemsOf(() => sessionConfigFrom(body, "request body", registries)), [
    'request body server_training_config.num_training_rounds must be a number: got "5"',
    'request body session_config.aggregator "fedagv" is not an aggregator; did you mean "fedavg"? Known: fedavg',
  ]);
});

Deno.test("sessionConfigFrom() reads the text None as null", () => {
  const config = sessionConfigFrom(
    {
      session_config: { aggregator_args: "None" },
      server_training_config: { num_training_rounds: 1 },
      client_training_config: { model_id: "MLP", dataset: "MNIST" },
    },
    "request body",
    registries,
  );
  assert.deepEqual(config.session_config.aggregator_args, {});
});

Deno.test("sessionConfigFrom() refuses what is not an object", () => {
  assert.deepEqual(problemsOf(() => sessionConfigFrom([1], "request body", registries)), [
    "request body must be a section of keys: got a list",
  ]);
  assert.deepEqual(problemsOf(() => sessionConfigFrom("hi", "request body", registries)), [
    'request body must be a section of keys: got "hi"',
  ]);
});

Deno.test("parseSessionConfig() refuses to measure clients with another model than they train", () => {
  const text = `
benchmark_config: { skip_benchmark: false, model_id: Other }
server_training_config: { num_training_rounds: 1 }
client_training_config: { model_id: MLP, dataset: D }
`;
  const read = (from: string) => parseSessionConfig(from, "c.yaml", registries);
  assert.throws(
    () => read(text),
    /c\.yaml:2:54 benchmark_config\.model_id must be "MLP", the model_id of client_training_config/,
  );
  assert.equal(read(text.replace("Other", "MLP")).benchmark_config.model_id, "MLP");
  assert.equal(read(text.replace("false", "true")).benchmark_config.model_id, "Other");
  const unsaid = text.replace("skip_benchmark: false", "bench_minibatch_count: 5");
  assert.equal(read(unsaid).benchmark_config.model_id, "Other", "nothing needs the benchmark");
  assert.throws(
    () => read(`${unsaid}session_config: { client_selection: by_speed }\n`),
    /benchmark_config\.model_id must be "MLP"/,
  );
});

Deno.test("parseSessionConfig() takes a file for a strategy, with arguments that only it knows", () => {
  const { session_config: session } = parseSessionConfig(
    `
session_config: { aggregator: ./mine.ts, aggregator_args: { anything: [1, 2], nothing: null } }
server_training_config: { num_training_rounds: 1 }
client_training_config: { model_id: MLP, dataset: D }
`,
    "c.yaml",
    registries,
  );
  assert.deepEqual(session.aggregator_args, { anything: [1, 2] });
  assert.equal(session.aggregator, "./mine.ts");
});
