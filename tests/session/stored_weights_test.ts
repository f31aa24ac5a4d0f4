/** What a run leaves in the store: the weights that its rule keeps, whatever happened on the way. */
import assert from "node:assert/strict";
import { runSession, StopRequest } from "../../src/session/engine.ts";
import { StoredWeights } from "../../src/session/stored_weights.ts";
import { Collected } from "../fixtures/collected.ts";
import { watchedStore } from "../fixtures/watched_store.ts";
import { configOf, createWorld, SumClient, type World } from "./world.ts";

function start({ context, model }: World, signal = new AbortController().signal) {
  return runSession(context, () => Promise.resolve(model), signal);
}

const threeRounds = configOf({
  session: { keep_rounds: 1 },
  server: { num_training_rounds: 3 },
});

Deno.test("runSession() keeps no weights in the store but the last, the best and the checkpoints'", async () => {
  const { store, put, left } = watchedStore();
  let evaluations = 0;
  const world = await createWorld({
    clients: [new SumClient("u1", "c_1", 1, 1), new SumClient("u2", "c_2", 3, 5)],
    config: configOf({
      session: { keep_rounds: 1, checkpoint_interval: 2 },
      server: { num_training_rounds: 5 },
    }),
    store,
    async validate() {
      // Slower than a round, so that several wait.
      await new Promise((resolve) => setTimeout(resolve, 5));
      return { loss: 1, accuracy: ++evaluations === 3 ? 0.6 : 0.5, samples: 10 };
    },
  });
  const state = await start(world);
  assert.ok(state.rounds.every(({ validation }) => validation !== null));
  // The initial weights, two updates and a new global model a round.
  assert.equal(put.length, 1 + 5 * 3);
  // 2 and 4 are checkpoints, 3 is the best.
  const kept = [2, 3, 4, 5].map((round) => state.rounds[round - 1]!.finished!.weights);
  assert.deepEqual(await left(), kept);
});

Deno.test("runSession() keeps nothing of an update that is refused for its hash", async () => {
  const { store, put, left } = watchedStore();
  const liar = new SumClient("u2", "c_2", 1, 7, (_job, honest) => {
    const update = honest();
    return { ...update, header: { ...update.header, weights: "0".repeat(64) } };
  });
  const world = await createWorld({
    clients: [new SumClient("u1", "c_1", 1, 1), liar],
    config: threeRounds,
    store,
  });
  const state = await start(world);
  assert.equal(state.rounds.flatMap(({ failures }) => failures).length, 3);
  // The initial weights; each round c_1's update, which is the new global model too.
  assert.equal(put.length, 1 + 3 * 2);
  assert.deepEqual(await left(), [state.weights]);
});

Deno.test("runSession() keeps of a run that is stopped what it needs to be restored", async () => {
  const { store, left } = watchedStore();
  const atWork = new Collected<number>();
  const world = await createWorld({
    clients: [
      new SumClient("u1", "c_1", 1, 1),
      new SumClient("u2", "c_2", 1, 3, (job, honest) => {
        if (job.round === 1) return honest();
        atWork.add(job.round);
        return new Promise(() => {});
      }),
    ],
    store,
    validate: () => new Promise(() => {}),
  });
  const stop = new AbortController();
  const going = start(world, stop.signal);
  await atWork.first("round 2");
  for await (const item of world.journal.follow(0, AbortSignal.timeout(5000))) {
    if (item.kind !== "event") continue;
    const { event } = item.entry;
    if (event.type === "update_received" && event.round === 2) break;
  }
  stop.abort(new StopRequest("enough"));
  const state = await going;
  assert.deepEqual([state.status, state.pending.length], ["stopped", 1]);
  assert.deepEqual(
    (await left()).sort(),
    [state.weights!, state.pending[0]!.weights].sort(),
  );
});

Deno.test("runSession() deletes after a restart what the run had spent before it", async () => {
  const { store, left } = watchedStore();
  const refused = new Collected<string>();
  const shutdown = new AbortController();
  const { blobs } = store;
  const remove = blobs.delete;
  // The power fails between the end of round 2 and the deletion of its updates.
  blobs.delete = (id) => {
    if (world.journal.state.rounds.length < 2) return remove(id);
    refused.add(id);
    shutdown.abort(new Error("power cut"));
    return Promise.reject(new Error("power cut"));
  };
  const clients = [new SumClient("u1", "c_1", 1, 1), new SumClient("u2", "c_2", 3, 5)];
  const world = await createWorld({ clients, config: threeRounds, store });
  await assert.rejects(start(world, shutdown.signal), /power cut/);
  assert.ok(refused.length > 0);
  assert.equal((await left()).length, 4, "two updates, the model before and the model after");
  blobs.delete = remove;
  const again = await createWorld({
    clients,
    config: threeRounds,
    store,
    resume: world.journal.id,
  });
  const state = await start(again);
  assert.equal(state.status, "finished");
  assert.deepEqual(await left(), [state.weights]);
});

Deno.test("StoredWeights deletes an update that was stored and did not come to count", async () => {
  const { store, left } = watchedStore();
  const { context } = await createWorld({ clients: [], store });
  const stored = new StoredWeights(context, () => []);
  const put = async (byte: number) => (await store.blobs.put(new Uint8Array([byte]))).id;
  const [failed, other, late] = [await put(1), await put(2), await put(3)];
  stored.arrived("u1", failed);
  stored.arrived("u2", other);
  stored.arrived("u3", other);
  stored.arrived("u4", late);
  await stored.answered("u1");
  assert.deepEqual(await left(), [other, late]);
  await stored.answered("u2");
  assert.deepEqual(await left(), [other, late], "another client has sent the same");
  await stored.answered("u3");
  assert.deepEqual(await left(), [late]);
  await stored.discardUndelivered();
  assert.deepEqual(await left(), []);
});

Deno.test("StoredWeights keeps what is still to be evaluated, or needed by another session", async () => {
  const { store, left } = watchedStore();
  const [one, two] = [
    await store.blobs.put(new Uint8Array(1)),
    await store.blobs.put(new Uint8Array(2)),
  ];
  const { context } = await createWorld({ clients: [], store, neededElsewhere: [two.id] });
  let due = [{ round: 1, weights: one.id }];
  const stored = new StoredWeights(context, () => due);
  await stored.discard([one.id, two.id]);
  assert.deepEqual(await left(), [one.id, two.id]);
  due = [];
  await stored.discard([one.id, two.id]);
  assert.deepEqual(await left(), [two.id]);
});
