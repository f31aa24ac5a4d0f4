import assert from "node:assert/strict";
import fc from "fast-check";
import { type Results, resultsOf } from "../../src/session/results.ts";
import { resultsCsv } from "../../src/session/results_csv.ts";
import type { SessionEntry, SessionEvent } from "../../src/session/events.ts";
import { fold } from "../../src/session/state.ts";
import {
  ANNA,
  BERT,
  CARL,
  CONFIG,
  failedRun,
  finishedRun,
  givenUpRun,
  hash,
  journal,
  roundFinished,
  roundStarted,
  SESSION,
  started,
  submitted,
  update,
  validated,
} from "../fixtures/recorded_run.ts";

const CONTEXT = { arithmetic: { aggregation: "float64" }, versions: { flotilla: "0.1.0" } };

Deno.test("resultsOf() gives a finished run with all its fields", () => {
  const { rounds, ...rest } = resultsFrom(finishedRun);
  assert.deepEqual(rest, {
    schema: 1,
    session_id: SESSION,
    name: "quickstart",
    status: "finished",
    // 16 entries of half a second between the start and the end.
    seconds: 8,
    final: {
      weights_id: hash(3),
      validation: { loss: 0.25, accuracy: 0.9312 },
      model: "model/model.json",
      safetensors: "model.safetensors",
    },
    clients: { [ANNA.id]: "workstation_1", [BERT.id]: "workstation_2" },
    seed: 42,
    config: CONFIG,
    ...CONTEXT,
  });
  assert.equal(rounds.length, 3);
  assert.deepEqual(rounds[1], {
    round: 2,
    seconds: 1.25,
    selected: [ANNA.id, BERT.id],
    updates: [{
      client: ANNA.id,
      name: "workstation_1",
      samples: 6000,
      loss: 0.4,
      accuracy: 0.88,
      train_seconds: 0.75,
      bytes_down: 407_080,
      bytes_up: 407_080,
    }],
    failures: [{ client: BERT.id, reason: "the connection was lost" }],
    replaced: [],
    weights_id: hash(2),
    validation: { loss: 0.3, accuracy: 0.915 },
  });
});

Deno.test("resultsOf() gives a failed run its reason, its open round and no model", () => {
  const { status, reason, rounds, final } = resultsFrom(failedRun);
  assert.equal(status, "failed");
  assert.equal(reason, "round 1 has 0 updates: at least 1 is needed");
  assert.equal(final, null);
  assert.equal(rounds[0]!.seconds, null);
  assert.equal(rounds[0]!.weights_id, null);
  assert.deepEqual(rounds[0]!.failures.map(({ client }) => client), [BERT.id, ANNA.id]);
});

Deno.test("resultsOf() keeps the model of the last finished round when a later one fails", () => {
  const events = [...finishedRun.slice(0, 8).map(({ event }) => event)];
  const { final, rounds } = resultsFrom(
    journal([...events, { type: "session_failed", reason: "all clients are lost" }]),
  );
  assert.equal(rounds.length, 2);
  assert.equal(final!.weights_id, hash(1));
  assert.deepEqual(final!.validation, { loss: 0.45, accuracy: 0.88 });
});

Deno.test("resultsOf() has why a round was given up, and the model of the round before it", () => {
  const { rounds, final } = resultsFrom(givenUpRun);
  assert.deepEqual(rounds.map(({ given_up }) => given_up), [
    undefined,
    "1 updates as min_updates is 2",
  ]);
  const { seconds, weights_id, validation, updates, failures } = rounds[1]!;
  assert.deepEqual([seconds, weights_id, validation], [0.75, null, null]);
  assert.deepEqual([updates.length, failures.length], [1, 1]);
  assert.equal(final!.weights_id, hash(1));
  assert.deepEqual(final!.validation, { loss: 0.45, accuracy: 0.88 });
});

Deno.test("resultsOf() measures a run that never started from its submission", () => {
  const stopped: SessionEvent = { type: "session_stopped", reason: "stopped by a user" };
  const { seconds, rounds, clients } = resultsFrom(journal([submitted, stopped]));
  assert.equal(seconds, 0.5);
  assert.deepEqual([rounds, clients], [[], {}]);
});

Deno.test("resultsOf() has the clients' own test results where they have a test split", () => {
  const plain = update(1, ANNA, 100, 0.5, 0.75);
  const test = { loss: 0.625, accuracy: 0.5, samples: 20 };
  const tested = { ...plain, metrics: { ...plain.metrics, test } };
  const { rounds } = resultsFrom(journal([submitted, started, roundStarted(1), tested]));
  const [result] = rounds[0]!.updates;
  assert.equal(result!.test_loss, 0.625);
  assert.equal(result!.test_accuracy, 0.5);
});

Deno.test("resultsOf() has arithmetic, device and threads of the clients that tell them", () => {
  const silent = update(1, ANNA, 100, 0.5, 0.75);
  const own = { arithmetic: "portable", device: "cpu", threads: 2 } as const;
  const telling = { ...silent, metrics: { ...silent.metrics, ...own } };
  const { rounds } = resultsFrom(journal([submitted, started, roundStarted(1), silent, telling]));
  const { updates } = rounds[0]!;
  assert.deepEqual(updates.map(({ arithmetic }) => arithmetic), [undefined, "portable"]);
  assert.deepEqual(updates.map(({ device }) => device), [undefined, "cpu"]);
  assert.deepEqual(updates.map(({ threads }) => threads), [undefined, 2]);
});

Deno.test("resultsOf() names those who were replaced, and who came for them", () => {
  const replaced = [{ client: CARL, reason: "no answer in 5 s", by: BERT }];
  const { rounds, clients } = resultsFrom(
    journal([submitted, started, { ...roundStarted(1), replaced } as SessionEvent]),
  );
  assert.deepEqual(rounds[0]!.replaced, [
    { client: CARL.id, reason: "no answer in 5 s", by: BERT.id },
  ]);
  assert.equal(clients[CARL.id], "workstation_3");
});

Deno.test("resultsOf() has null for what is not finite, so that JSON gives back the same", () => {
  const number = fc.oneof(fc.double(), fc.constant(NaN), fc.constant(Infinity));
  fc.assert(fc.property(number, fc.option(number), (loss, accuracy) => {
    const results = resultsFrom(journal([
      submitted,
      started,
      roundStarted(1),
      update(1, ANNA, 100, loss, accuracy),
      roundFinished(1, loss, accuracy ?? 0),
      validated(1, loss, accuracy ?? 0),
    ]));
    // JSON has no negative zero either.
    const parsed = JSON.parse(JSON.stringify(results));
    assert.deepEqual(JSON.stringify(parsed), JSON.stringify(results));
    for (const value of [results.rounds[0]!.updates[0]!.loss, results.final!.validation!.loss]) {
      assert.equal(value, Number.isFinite(loss) ? loss : null);
    }
  }));
});

Deno.test("resultsCsv() has a line a round with means by samples", () => {
  assert.equal(
    resultsCsv(resultsFrom(finishedRun)),
    "round,seconds,selected,trained,failed,samples,train_loss,train_accuracy," +
      "validation_loss,validation_accuracy,bytes_down,bytes_up\n" +
      "1,1.25,2,2,0,8000,0.825,0.775,0.45,0.88,814800,814160\n" +
      "2,1.25,2,1,1,6000,0.4,0.88,0.3,0.915,407080,407080\n" +
      "3,1.25,2,2,0,8000,0.33,0.905,0.25,0.9312,814160,814160\n",
  );
});

Deno.test("resultsCsv() has no loss and accuracy of a round that was given up", () => {
  const [, , line] = resultsCsv(resultsFrom(givenUpRun)).split("\n");
  assert.equal(line, "2,0.75,2,1,1,6000,,,,,407080,407080");
});

Deno.test("resultsCsv() leaves cells empty where there is no number", () => {
  const [, line] = resultsCsv(resultsFrom(failedRun)).split("\n");
  assert.equal(line, "1,,2,0,2,0,,,,,0,0");
});

function resultsFrom(entries: readonly SessionEntry[]): Results {
  return resultsOf(fold(entries)!, CONTEXT);
}
