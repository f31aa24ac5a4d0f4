/** The whole workflow as a user has it by default: embedded broker, SQLite, two clients. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Federation } from "../fixtures/federation.ts";
import { makeMnist, runConfig } from "./mnist.ts";
import { accuracyOf, openModel, readImages, readSafetensors } from "./stock_tfjs.ts";

const data = await makeMnist(2, 300);

Deno.test("flotilla session trains a model on two clients and saves what it says", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  assert.match(federation.server.printed(), /State is kept in sqlite/);
  assert.match(federation.server.printed(), /Started an MQTT broker/);
  await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  const ids = (await federation.clients()).map(({ client_id }) => client_id);
  const session = await federation.session(runConfig({ server: { validation_dataset: "MNIST" } }));
  assert.equal(await session.exitCode(), 0, session.printed());
  const id = /^session (\S+)$/m.exec(session.stdout)![1]!;
  assert.match(session.stdout, /round 2\/2 finished/);
  assert.match(session.stdout, /finished: 2 rounds in .*accuracy/);

  const results = await federation.results();
  const folder = await federation.runFolder(id);
  checkResults(results, id, ids);
  for (const name of ["results.csv", "log.jsonl", "accuracy.svg"]) {
    assert.ok((await Deno.stat(join(folder, name))).size > 0, name);
  }
  const model = await openModel(folder);
  const accuracy = accuracyOf(model, await readImages(join(data.leader, "MNIST")));
  assert.ok(
    Math.abs(accuracy - results.final.validation.accuracy) <= 0.0005,
    `stock tfjs: ${accuracy}, reported: ${results.final.validation.accuracy}`,
  );
  const { sha256, tensors } = await readSafetensors(join(folder, "model.safetensors"));
  assert.equal(sha256, results.final.weights_id);
  assert.deepEqual(
    tensors.map(({ dtype, shape }) => [dtype, shape]),
    model.getWeights().map(({ shape }) => ["F32", shape]),
  );
  for (const [i, weight] of model.getWeights().entries()) {
    assert.deepEqual(tensors[i]!.values, await weight.data());
  }
});

Deno.test("two fresh federations end with the same bytes, whatever their clients' ids", async () => {
  const [one, two] = await Promise.all([runAfresh([1, 2]), runAfresh([2, 1])]);
  assert.equal(one.final.weights_id, two.final.weights_id);
  assert.deepEqual(Object.values(one.clients).sort(), Object.values(two.clients).sort());
  const shared = Object.keys(one.clients).filter((id) => Object.hasOwn(two.clients, id));
  assert.deepEqual(shared, []);
});

/** Results of one run in new folders, its clients started one after the other in this order. */
async function runAfresh(order: readonly number[]) {
  await using federation = await Federation.start({ leaderData: data.leader });
  for (const n of order) await federation.startClient(n, data.part(n));
  const session = await federation.session(runConfig());
  assert.equal(await session.exitCode(), 0, session.printed());
  return await federation.results();
}

// deno-lint-ignore no-explicit-any -- as a stranger reads it
function checkResults(results: any, id: string, clients: readonly string[]): void {
  assert.equal(results.schema, 1);
  assert.equal(results.session_id, id);
  assert.equal(results.status, "finished");
  assert.ok(results.seconds > 0);
  assert.deepEqual(results.rounds.map(({ round }: { round: number }) => round), [1, 2]);
  for (const round of results.rounds) {
    assert.deepEqual(round.selected.toSorted(), clients.toSorted());
    assert.deepEqual(round.failures, []);
    assert.ok(round.seconds > 0);
    assert.match(round.weights_id, /^[0-9a-f]{64}$/);
    assert.ok(round.validation.loss > 0 && round.validation.accuracy > 0.1);
    assert.deepEqual(
      round.updates.map(({ client }: { client: string }) => client).toSorted(),
      clients.toSorted(),
    );
    for (const update of round.updates) {
      // 300 images less the twentieth that a client keeps for its test.
      assert.equal(update.samples, 285);
      assert.ok(update.loss > 0 && update.accuracy > 0.1 && update.accuracy < 1);
      assert.ok(update.train_seconds > 0);
      // 101,770 floats, and what the format adds; the package comes on top in round 1 only.
      assert.ok(update.bytes_up > 407_080 && update.bytes_up < 408_080, `${update.bytes_up}`);
      const model = update.bytes_down - update.bytes_up;
      assert.ok(round.round === 1 ? model > 0 && model < 4000 : model === 0, `${model}`);
    }
  }
  const last = results.rounds[1];
  assert.equal(results.final.weights_id, last.weights_id);
  assert.deepEqual(results.final.validation, last.validation);
  assert.equal(results.final.model, "model/model.json");
  assert.equal(results.final.safetensors, "model.safetensors");
  assert.equal(typeof results.arithmetic.aggregation, "string");
  assert.match(results.versions.flotilla, /^\d+\.\d+\.\d+/);
  assert.equal(results.versions.deno, Deno.version.deno);
}
