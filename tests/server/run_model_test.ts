import assert from "node:assert/strict";
import type { SessionConfig } from "../../src/config/session_config.ts";
import { DataError, ModelError } from "../../src/core/errors.ts";
import { encodeWeights } from "../../src/core/weights.ts";
import { prepareModel, runModel } from "../../src/server/run_model.ts";
import { FakeTrainer } from "../fixtures/fake_trainer.ts";
import { configOf, LAYOUT, PACKAGE } from "../session/world.ts";

const forever = new AbortController().signal;
/** The leader has one validation set. */
const sets = {
  root: "/data",
  find: (name: string) => Promise.resolve(name === "D" ? "/data/D" : null),
};

function prepare(config: SessionConfig, trainer = new FakeTrainer()) {
  return prepareModel(config, PACKAGE, 7, trainer, sets);
}

Deno.test("prepareModel() checks the model against the clients' dataset where the leader has it", async () => {
  const trainer = new FakeTrainer();
  const { validationFolder, seed, modelPackage } = await prepare(configOf(), trainer);
  assert.deepEqual([validationFolder, seed, modelPackage], ["/data/D", 7, PACKAGE]);
  assert.deepEqual(trainer.calls.sort(), ["check", "initialise"]);
});

Deno.test("prepareModel() goes without a set of that name, or with validation turned off", async () => {
  for (
    const config of [
      configOf({ client: { dataset: "other" } }),
      configOf({ session: { validation_round_interval: 0 } }),
      configOf({
        session: { validation_round_interval: 0 },
        server: { validation_dataset: "missing" },
      }),
    ]
  ) {
    const trainer = new FakeTrainer();
    const prepared = await prepare(config, trainer);
    assert.equal(prepared.validationFolder, null);
    assert.deepEqual(trainer.calls, ["initialise"]);
    assert.equal(runModel(config, prepared, () => trainer).validate, null);
  }
});

Deno.test("prepareModel() refuses a named validation set that is not there", async () => {
  await assert.rejects(prepare(configOf({ server: { validation_dataset: "missing" } })), {
    name: "DataError",
    message: 'Cannot find server_training_config.validation_dataset "missing" in /data: put it ' +
      "there, name another, or set session_config.validation_round_interval to 0",
  });
});

Deno.test("prepareModel() passes on why a model does not build or fit", async () => {
  const refusals = [new ModelError("no model"), new DataError("no data")];
  for (const error of refusals) {
    for (const call of ["initialise", "check"]) {
      const trainer = new FakeTrainer((name) => {
        if (name === call) throw error;
      });
      await assert.rejects(prepare(configOf(), trainer), error);
    }
  }
});

Deno.test("runModel() has the prepared weights, and builds others for another seed", async () => {
  const trainer = new FakeTrainer();
  const prepared = await prepare(configOf(), trainer);
  const { initialWeights } = runModel(configOf(), prepared, () => trainer);
  const built = trainer.calls.length;
  assert.equal(await initialWeights(7), prepared.initial.weights);
  assert.equal(trainer.calls.length, built);
  assert.notDeepEqual(await initialWeights(8), prepared.initial.weights);
  assert.equal(trainer.calls.length, built + 1);
});

Deno.test("runModel() evaluates a copy of the weights on the whole validation set", async () => {
  const trainer = new FakeTrainer();
  const config = configOf({
    server: { global_model_validation_batch_size: 25 },
    client: { loss_function: "mse" },
  });
  const { validate } = runModel(config, await prepare(config, trainer), () => trainer);
  const { bytes } = encodeWeights({ layout: LAYOUT, values: new Float32Array([3, 4, 5]) });
  assert.deepEqual(await validate!(bytes, forever), { loss: 3, accuracy: 0.5, samples: 10 });
  const [request] = trainer.evaluated;
  assert.notEqual(request!.weights.buffer, bytes.buffer);
  assert.deepEqual(request!.weights, bytes);
  const { datasetFolder, batchSize, loss, splitSeed } = request!;
  assert.deepEqual([datasetFolder, batchSize, loss, splitSeed], ["/data/D", 25, "mse", null]);
});
