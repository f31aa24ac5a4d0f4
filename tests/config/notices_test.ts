/** What a configuration says in vain. */
import assert from "node:assert/strict";
import { clientConfigSchema } from "../../src/config/client_config.ts";
import { noticeLine, noticesOf, sessionNotices } from "../../src/config/notices.ts";
import { registries } from "./registries.ts";

function linesOf(text: string, ...overrides: string[]) {
  return sessionNotices(text, "c.yaml", registries, overrides).map(noticeLine);
}

const RUN = `server_training_config: { num_training_rounds: 1, model_dir: models/A }
client_training_config: { model_id: A, dataset: D }
`;

Deno.test("sessionNotices() names keys without effect that hold another value than their default", () => {
  assert.deepEqual(linesOf(`${RUN}session_config: { use_gpu: False }\n`), []);
  assert.deepEqual(linesOf(`${RUN}session_config: { use_gpu: True }\n`), [
    "c.yaml:3:19 session_config.use_gpu has no effect here: training.device of the server's and of each client's configuration says what computes",
  ]);
  assert.deepEqual(linesOf(RUN, "client_training_config.model_class=A_class"), [
    "--set client_training_config.model_class has no effect here: model_id names the model",
  ]);
  assert.deepEqual(linesOf(`${RUN}model_config: { custom_trainer_args: { mu: 1 } }\n`), [
    "c.yaml:3:17 model_config.custom_trainer_args has no effect without use_custom_trainer",
  ]);
});

Deno.test("sessionNotices() tells of benchmarks that nothing needs, and of keys of those that are made", () => {
  const bench = `${RUN}benchmark_config: { bench_minibatch_count: 5, model_dir: models/B }\n`;
  assert.deepEqual(linesOf(bench), [
    "c.yaml:3:1 benchmark_config has no effect as the client selection random does not ask how fast clients are: skip_benchmark: false measures them all the same",
  ]);
  assert.deepEqual(linesOf(bench, "benchmark_config.skip_benchmark=true"), [], "as it says itself");
  assert.deepEqual(
    linesOf(
      `${RUN}benchmark_config: { batch_size: 8 }\n`,
      "session_config.client_selection=by_speed",
    ),
    [
      "c.yaml:3:1 benchmark_config has no effect without timeout_duration_s or bench_minibatch_count, or skip_benchmark: false",
    ],
  );
  const ofModel =
    "c.yaml:3:47 benchmark_config.model_dir has no effect here: clients are measured with the package of server_training_config";
  assert.deepEqual(linesOf(bench, "session_config.client_selection=by_speed"), [ofModel]);
  assert.deepEqual(linesOf(bench, "benchmark_config.skip_benchmark=false"), [ofModel]);
  assert.deepEqual(linesOf(bench, "session_config.client_selection=./mine.ts"), [ofModel]);
});

Deno.test("noticesOf() tells of the keys of any file", () => {
  const text = `comm_config:
  grpc: { workers: 4 }
general_config:
  cleanup_temp_on_exit: True
  cleanup_session_on_exit: False
`;
  assert.deepEqual(noticesOf(clientConfigSchema, text, "client.yaml").map(noticeLine), [
    "client.yaml:2:11 comm_config.grpc.workers has no effect here: calls need no threads",
    "client.yaml:4:3 general_config.cleanup_temp_on_exit has no effect here: nothing is deleted at exit",
  ]);
});
