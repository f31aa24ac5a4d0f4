/** Runs in which rounds overlap: asynchronous ones, where each update is a round, and tiered ones. */
import assert from "node:assert/strict";
import { fedasync } from "../../src/aggregation/fedasync.ts";
import { fedat } from "../../src/aggregation/fedat.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import { runSession } from "../../src/session/engine.ts";
import { fold } from "../../src/session/state.ts";
import type { SessionEntry } from "../../src/session/events.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import type { Store } from "../../src/state/store.ts";
import { Collected } from "../fixtures/collected.ts";
import { watchedStore } from "../fixtures/watched_store.ts";
import { configOf, createWorld, SumClient, type World } from "./world.ts";
import * as v from "valibot";

function start({ context, model }: World, signal = new AbortController().signal) {
  return runSession(context, () => Promise.resolve(model), signal);
}

function asynchronous(rounds: number, args: Record<string, unknown> = {}) {
  return configOf({
    session: {
      aggregator: "fedasync",
      aggregator_args: v.parse(fedasync.args, args),
      client_selection: "fedasync",
    },
    server: { num_training_rounds: rounds },
  });
}

function tiered(rounds: number) {
  return configOf({
    session: {
      aggregator: "fedat",
      aggregator_args: v.parse(fedat.args, {}),
      client_selection: "fedat",
      client_selection_args: { num_tiers: 2 },
    },
    server: { num_training_rounds: rounds },
  });
}

async function finalValues(store: Store, id: string | null): Promise<number[]> {
  return [...decodeWeights((await store.blobs.get(id!))!).values];
}

/** A client that answers only when it is let. */
function held(n: number, step: number, jobs: Collected<string>) {
  const gates: (() => void)[] = [];
  const client = new SumClient(`u${n}`, `c_${n}`, 10, step, async (job, honest) => {
    const gate = new Promise<void>((resolve) => gates.push(resolve));
    jobs.add(`c_${n} in ${job.round}`);
    await gate;
    return honest();
  });
  return { client, answer: () => gates.shift()!() };
}

/** Every update of a run, once each, with the round in which it counted. */
function counted({ journal }: World): string[] {
  return journal.state.rounds.flatMap(({ round, finished, updates }) =>
    finished === null ? [] : updates.map((one) => `${one.client.name} of ${one.round} in ${round}`)
  );
}

Deno.test("runSession() goes on with each update while slower clients are still at work", async () => {
  const jobs = new Collected<string>();
  const [fast, slow] = [held(1, 1, jobs), held(2, 100, jobs)];
  const world = await createWorld({
    clients: [fast.client, slow.client],
    config: asynchronous(4, { alpha: 1 }),
  });
  const run = start(world);
  await jobs.first("both at work", () => jobs.length === 2);
  for (const round of [2, 3]) {
    fast.answer();
    await jobs.first(`the fast one in ${round}`, (job) => job === `c_1 in ${round}`);
  }
  // Weights 1 and then 2: the fast one's updates are fresh and replace the global weights.
  slow.answer();
  // The slow one started from 0 in round 1 and comes in round 3: share 1/3 of 100, 2/3 of 2.
  await jobs.first("the slow one again", (job) => job === "c_2 in 4");
  // The fast one started from 2 in round 3 and comes in round 4: share 1/2 of 3.
  fast.answer();
  const state = await run;
  assert.equal(state.status, "finished");
  assert.deepEqual(counted(world), [
    "c_1 of 1 in 1",
    "c_1 of 2 in 2",
    "c_2 of 1 in 3",
    "c_1 of 3 in 4",
  ]);
  const third = Math.fround(2 * (2 / 3) + 100 / 3);
  const [value] = await finalValues(world.store, state.weights);
  assert.ok(Math.abs(value! - (third / 2 + 3 / 2)) < 1e-5, `${value}`);
});

Deno.test("runSession() keeps weights that clients have started from until the last has answered", async () => {
  const { store, left } = watchedStore();
  const jobs = new Collected<string>();
  const [fast, slow] = [held(1, 1, jobs), held(2, 100, jobs)];
  const world = await createWorld({
    clients: [fast.client, slow.client],
    config: asynchronous(3),
    store,
  });
  const run = start(world);
  await jobs.first("both at work", () => jobs.length === 2);
  const initial = world.journal.state.weights!;
  fast.answer();
  await jobs.first("the fast one again", (job) => job === "c_1 in 2");
  assert.deepEqual([...await left()].sort(), [initial, world.journal.state.weights!].sort());
  slow.answer();
  await jobs.first("the slow one again", (job) => job === "c_2 in 3");
  assert.equal((await left()).includes(initial), false);
  fast.answer();
  const state = await run;
  assert.equal(state.status, "finished");
  assert.deepEqual(await left(), [state.weights]);
  assert.deepEqual(state.inFlight, {});
});

Deno.test("runSession() loses and doubles no update of an asynchronous run that is cut off", async () => {
  const store = openMemoryStore();
  const jobs = new Collected<string>();
  const clients = [held(1, 1, jobs), held(2, 10, jobs), held(3, 100, jobs)];
  const config = asynchronous(6, { mixing: 0.5 });
  const shutdown = new AbortController();
  const all = clients.map(({ client }) => client);
  const before = await createWorld({ clients: all, config, store });
  const run = start(before, shutdown.signal);
  await jobs.first("all at work", () => jobs.length === 3);
  clients[0]!.answer();
  await jobs.first("c_1 again", (job) => job === "c_1 in 2");
  clients[1]!.answer();
  await jobs.first("c_2 again", (job) => job === "c_2 in 3");
  shutdown.abort(new Error("power cut"));
  await assert.rejects(run, /power cut/);
  const owed = Object.values(before.journal.state.inFlight)
    .map(({ client, round }) => `${client.name} in ${round}`).sort();
  assert.deepEqual(owed, ["c_1 in 2", "c_2 in 3", "c_3 in 1"]);

  const again = new Collected<string>();
  const after = await createWorld({
    clients: all.map((client, i) => {
      const { step, name, id } = client;
      return new SumClient(id, name, 10, step, async (job, honest) => {
        again.add(`c_${i + 1} in ${job.round}`);
        // The oldest round's answer comes after two others, and before the end.
        if (job.round === 1) await again.first("a job of round 5", (one) => one.endsWith(" in 5"));
        if (job.round === 5) await again.first("c_3's next job", (one) => /^c_3 in [56]/.test(one));
        return honest();
      });
    }),
    config,
    store,
    resume: before.journal.id,
  });
  const state = await start(after);
  assert.equal(state.status, "finished");
  // What was owed is asked for again, for the same rounds.
  assert.deepEqual(again.items.slice(0, 3).sort(), owed);
  const updates = counted(after);
  assert.equal(updates.length, 6);
  const assignments = updates.map((update) => update.replace(/ in .*/, ""));
  assert.equal(new Set(assignments).size, 6, `each assignment counts once: ${updates}`);
  assert.ok(assignments.includes("c_3 of 1"), "the one that started before the cut");
  const entries = await store.journal.read(after.journal.id) as SessionEntry[];
  assert.deepEqual(fold(entries), state);
});

Deno.test("runSession() takes in a client that joins an asynchronous run", async () => {
  const jobs = new Collected<string>();
  const [one, two] = [held(1, 1, jobs), held(2, 1, jobs)];
  const world = await createWorld({ clients: [one.client], config: asynchronous(3) });
  const run = start(world);
  await jobs.first("the first at work");
  world.fleet.join(two.client);
  one.answer();
  await jobs.first("the second at work", (job) => job === "c_2 in 2");
  two.answer();
  one.answer();
  const state = await run;
  assert.equal(state.status, "finished");
});

Deno.test("runSession() goes on without a client that fails in an asynchronous run", async () => {
  const broken = new SumClient("u1", "c_1", 1, 1, () => Promise.reject(new Error("no data")));
  const world = await createWorld({
    clients: [broken, new SumClient("u2", "c_2", 1, 1)],
    config: asynchronous(5),
  });
  const state = await start(world);
  assert.equal(state.status, "finished");
  assert.ok(counted(world).every((update) => update.startsWith("c_2")));
  assert.deepEqual(await finalValues(world.store, state.weights), [5, 5, 5]);
});

Deno.test("runSession() fails an asynchronous run whose clients all fail", async () => {
  const broken = (n: number) =>
    new SumClient(`u${n}`, `c_${n}`, 1, 1, () => Promise.reject(new Error("no data")));
  const world = await createWorld({ clients: [broken(1), broken(2)], config: asynchronous(5) });
  const state = await start(world);
  assert.equal(state.status, "failed");
  assert.match(state.reason!, /^Round 4 has 0 updates .* rounds 1 to 3 were .*: c_1: .*; c_2: /);
});

Deno.test("runSession() lets each tier go on at its own pace", async () => {
  const { store, left } = watchedStore();
  const jobs = new Collected<string>();
  const clients = [held(1, 1, jobs), held(2, 3, jobs), held(3, 100, jobs)];
  const world = await createWorld({
    clients: clients.map(({ client }) => client),
    config: tiered(3),
    store,
  });
  const run = start(world);
  // Nothing is measured yet, so tiers are spread by name; one client of each is asked.
  await jobs.first("two at work", () => jobs.length === 2);
  const { rounds: [first], inFlight } = world.journal.state;
  assert.equal(first!.selected.length, 2);
  assert.deepEqual(
    Object.values(inFlight).map(({ group }) => group).sort(),
    ["tier 1", "tier 2"],
  );
  const busy = () => Object.values(world.journal.state.inFlight);
  const answer = (group: string) => {
    const { client } = busy().find((one) => one.group === group)!;
    clients[Number(client.name.at(-1)) - 1]!.answer();
  };
  answer("tier 1");
  await jobs.first("tier 1 again", () => jobs.length === 3);
  assert.equal(world.journal.state.rounds.length, 2);
  assert.equal(busy().filter(({ group }) => group === "tier 2")[0]!.round, 1);
  answer("tier 1");
  await jobs.first("tier 1 once more", () => jobs.length === 4);
  // The tier's model is kept beside the global weights and the update's own are gone.
  assert.equal(Object.keys(world.journal.state.kept).length, 1);
  answer("tier 2");
  const state = await run;
  assert.equal(state.status, "finished");
  assert.deepEqual(state.aggregatorState, { counts: { "tier 1": 2, "tier 2": 1 } });
  assert.deepEqual(await left(), [state.weights], "tiers' models go with the run");
});

Deno.test("runSession() resumes a tiered run to the same final weights", async () => {
  const build = (jobs: Collected<string>, hold: (job: string) => boolean) =>
    [1, 2].map((n) =>
      new SumClient(`u${n}`, `c_${n}`, 10, 10 ** n, async (job, honest) => {
        const mine = `c_${n} in ${job.round}`;
        jobs.add(mine);
        if (hold(mine)) await new Promise(() => {});
        // The second is slow: its first answer comes when the first has had two rounds.
        if (mine === "c_2 in 1") await jobs.first("round 3", (one) => one === "c_1 in 3");
        return honest();
      })
    );
  const config = tiered(4);
  const jobs = new Collected<string>();
  const whole = await createWorld({
    clients: build(jobs, (job) => ["c_1 in 3"].includes(job)),
    config: tiered(3),
  });
  const undisturbed = await start(whole);
  assert.equal(undisturbed.status, "finished");

  const store = openMemoryStore();
  const shutdown = new AbortController();
  const first = new Collected<string>();
  const before = await createWorld({
    clients: build(first, (job) => job !== "c_1 in 1"),
    config: { ...config, server_training_config: tiered(3).server_training_config },
    store,
  });
  const run = start(before, shutdown.signal);
  await first.first("c_1 in 2");
  await first.first("round 2", (job) => job === "c_1 in 2");
  shutdown.abort(new Error("power cut"));
  await assert.rejects(run, /power cut/);
  const second = new Collected<string>();
  const after = await createWorld({
    clients: build(second, (job) => job === "c_1 in 3"),
    config: before.journal.state.config,
    store,
    resume: before.journal.id,
  });
  const state = await start(after);
  assert.equal(state.status, "finished");
  assert.equal(state.weights, undisturbed.weights);
});
