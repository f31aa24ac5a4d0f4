/** A run that is cut off and goes on in another process, where the engine alone decides. */
import assert from "node:assert/strict";
import type { Evaluation } from "../../src/core/metrics.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import { runSession } from "../../src/session/engine.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import { Collected } from "../fixtures/collected.ts";
import { VirtualClock } from "../fixtures/virtual_clock.ts";
import { configOf, createWorld, SumClient, type World } from "./world.ts";

function start({ context, model }: World, signal = new AbortController().signal) {
  return runSession(context, () => Promise.resolve(model), signal);
}

/** A store that outlives the run that is cut off. */
function cuttable() {
  const shutdown = new AbortController();
  return {
    store: openMemoryStore(),
    signal: shutdown.signal,
    async cut(run: Promise<unknown>) {
      shutdown.abort(new Error("power cut"));
      await assert.rejects(run, /power cut/);
    },
  };
}

/** Answers an evaluation with the first weight, which the sum of the steps so far is. */
function firstWeight(bytes: Uint8Array): Evaluation {
  const [loss] = decodeWeights(new Uint8Array(bytes)).values;
  return { loss: loss!, accuracy: 0.5, samples: 10 };
}

Deno.test("runSession() makes up for all evaluations that a restart has cut off", async () => {
  const { store, signal, cut } = cuttable();
  const asked = new Collected<Uint8Array>();
  const client = new SumClient("u1", "c_1", 1, 1, (job, honest) => {
    return job.round < 4 || !hold ? honest() : new Promise(() => {});
  });
  let hold = true;
  const config = configOf({ server: { num_training_rounds: 4 } });
  const before = await createWorld({
    clients: [client],
    store,
    config,
    validate(bytes) {
      asked.add(bytes);
      // The first comes in time, the others are still under way at the cut.
      return asked.length === 1 ? Promise.resolve(firstWeight(bytes)) : new Promise(() => {});
    },
  });
  const run = start(before, signal);
  await asked.first("the evaluation of round 3", () => asked.length === 3);
  await cut(run);
  assert.deepEqual(
    before.journal.state.rounds.map(({ validation }) => validation?.loss ?? null).slice(0, 3),
    [1, null, null],
  );
  hold = false;
  const after = await createWorld({
    clients: [client],
    store,
    config,
    resume: before.journal.id,
    validate: (bytes) => Promise.resolve(firstWeight(bytes)),
  });
  const state = await start(after);
  assert.equal(state.status, "finished");
  assert.deepEqual(state.rounds.map(({ validation }) => validation?.loss), [1, 2, 3, 4]);
});

Deno.test("runSession() waits after a restart for clients that owe an answer to come back", async () => {
  const { store, signal, cut } = cuttable();
  const jobs = new Collected<string>();
  let hold = true;
  const client = (n: number) =>
    new SumClient(`u${n}`, `c_${n}`, 1, n, (job, honest) => {
      jobs.add(`${n} in ${job.round}`);
      return hold ? new Promise(() => {}) : honest();
    });
  const [one, two] = [client(1), client(3)];
  const before = await createWorld({ clients: [one, two], store });
  const run = start(before, signal);
  await jobs.first("both at work", () => jobs.length === 2);
  await cut(run);
  hold = false;
  const clock = new VirtualClock();
  const after = await createWorld({
    clients: [],
    store,
    clock,
    resume: before.journal.id,
    returnMs: 60_000,
  });
  const going = start(after);
  await clock.someoneSleeps();
  after.fleet.join(two);
  await jobs.first("the second client's job again", (job) => job === "3 in 1", { from: 2 });
  after.fleet.join(one);
  const state = await going;
  assert.deepEqual([state.status, state.reason], ["finished", null]);
  assert.deepEqual(state.rounds.map(({ failures }) => failures), [[], []]);
  // Each round adds the mean of 1 and 3.
  assert.deepEqual([...decodeWeights((await store.blobs.get(state.weights!))!).values], [4, 4, 4]);
});

Deno.test("runSession() goes on without a client that does not come back in time", async () => {
  const { store, signal, cut } = cuttable();
  const jobs = new Collected<string>();
  const one = new SumClient("u1", "c_1", 1, 1);
  const two = new SumClient("u2", "c_2", 1, 3, () => {
    jobs.add("at work");
    return new Promise(() => {});
  });
  const config = configOf({
    session: { wait_for_clients_s: 30 },
    server: { num_training_rounds: 1 },
  });
  const before = await createWorld({ clients: [one, two], store, config });
  const run = start(before, signal);
  await jobs.first("the second client at work");
  for await (const item of before.journal.follow(0, AbortSignal.timeout(5000))) {
    if (item.kind === "event" && item.entry.event.type === "update_received") break;
  }
  await cut(run);
  assert.equal(before.journal.state.pending.length, 1);
  const clock = new VirtualClock();
  const after = await createWorld({
    clients: [one],
    store,
    clock,
    config,
    resume: before.journal.id,
    returnMs: 30_000,
  });
  const going = start(after);
  await clock.someoneSleeps();
  clock.advance(30_000);
  const state = await going;
  assert.equal(state.status, "finished");
  assert.deepEqual(state.rounds[0]!.failures.map(({ client }) => client.name), ["c_2"]);
});

/** Three clients of which one trains a round, and whom each round has chosen. */
function threeOfWhichOne() {
  const jobs = new Collected<string>();
  const clients = [1, 2, 3].map((n) =>
    new SumClient(`u${n}`, `c_${n}`, 1, 10 ** n, (job, honest) => {
      jobs.add(`c_${n} in ${job.round}`);
      return honest();
    })
  );
  const config = configOf({
    session: { client_selection_args: { num_clients_per_round: 1 }, wait_for_clients_s: 30 },
    server: { num_training_rounds: 6 },
  });
  return { clients, jobs, config };
}

/** Runs until round 2 is about to begin, and cuts it off there. */
async function cutBeforeRound2(clients: SumClient[], config: World["journal"]["state"]["config"]) {
  const { store, signal, cut } = cuttable();
  const echoes = new Collected<string>();
  const world = await createWorld({
    clients,
    store,
    config,
    before({ client, name }) {
      if (name !== "echo") return;
      echoes.add(client);
      // The first round has one echo, and the second shall not begin.
      return echoes.length === 1 ? undefined : new Promise(() => {});
    },
  });
  const run = start(world, signal);
  await echoes.first("the echo of round 2", () => echoes.length === 2);
  await cut(run);
  const { rounds, id } = world.journal.state;
  assert.deepEqual(rounds.map(({ finished }) => finished !== null), [true]);
  assert.deepEqual([rounds[0]!.selected.length, rounds[0]!.spares.length], [1, 2]);
  return { store, resume: id };
}

/** The next note that says for whom a run waits. */
async function waitsFor({ seen }: World, { present, needed }: { present: number; needed: number }) {
  const found = () =>
    seen.some((item) =>
      item.kind === "note" && item.note.type === "waiting_for_clients" &&
      item.note.present === present && item.note.needed === needed
    );
  const deadline = Date.now() + 10_000;
  while (!found()) {
    assert.ok(Date.now() < deadline, `no note of ${present} of ${needed}: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

Deno.test("runSession() selects after a restart as if there had been none, once all are back", async () => {
  const alone = threeOfWhichOne();
  const undisturbed = await start(await createWorld(alone));
  assert.equal(undisturbed.status, "finished");
  assert.ok(new Set(undisturbed.rounds.map(({ selected }) => selected[0]!.id)).size > 1);

  const { clients, jobs, config } = threeOfWhichOne();
  const cut = await cutBeforeRound2(clients, config);
  const clock = new VirtualClock();
  const after = await createWorld({ clients: [], config, clock, returnMs: 60_000, ...cut });
  const going = start(after);
  await waitsFor(after, { present: 0, needed: 3 });
  after.fleet.join(clients[2]!);
  await waitsFor(after, { present: 1, needed: 3 });
  after.fleet.join(clients[0]!);
  await waitsFor(after, { present: 2, needed: 3 });
  assert.equal(jobs.length, 1, "nobody trains before all are back");
  after.fleet.join(clients[1]!);
  const state = await going;
  assert.equal(state.weights, undisturbed.weights);
  assert.deepEqual(jobs.items, alone.jobs.items);
});

Deno.test("runSession() waits after a restart for one who stays away no longer than for any client", async () => {
  const { clients, jobs, config } = threeOfWhichOne();
  const cut = await cutBeforeRound2(clients, config);
  const clock = new VirtualClock();
  const after = await createWorld({
    clients: clients.slice(0, 2),
    config,
    clock,
    returnMs: 60_000,
    ...cut,
  });
  const going = start(after);
  await waitsFor(after, { present: 2, needed: 3 });
  assert.equal(jobs.length, 1);
  clock.advance(30_000);
  const state = await going;
  assert.deepEqual([state.status, state.rounds.length], ["finished", 6]);
});
