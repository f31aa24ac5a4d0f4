/** What a run asks of clients beside training: benchmarks, and validations of the global weights. */
import assert from "node:assert/strict";
import * as v from "valibot";
import { fedasync } from "../../src/aggregation/fedasync.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import type { TrainJob } from "../../src/rpc/transport.ts";
import { runSession } from "../../src/session/engine.ts";
import type {
  ClientBenchmarked,
  ClientsValidated,
  SessionEvent,
} from "../../src/session/events.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import { Collected } from "../fixtures/collected.ts";
import { configOf, createWorld, PACKAGE, SumClient, type World } from "./world.ts";

function start({ context, model }: World, signal = new AbortController().signal) {
  return runSession(context, () => Promise.resolve(model), signal);
}

async function eventsOf<T extends SessionEvent["type"]>({ store, journal }: World, type: T) {
  const events = (await store.journal.read(journal.id)).map(({ event }) => event as SessionEvent);
  return events.filter((event) => event.type === type) as Extract<SessionEvent, { type: T }>[];
}

const bench = { skip_benchmark: false, bench_minibatch_count: 5, batch_size: 8 };

/** A client that takes so many seconds for ten mini-batches; it collects the jobs it is given. */
function timed(n: number, seconds: number, jobs: TrainJob[] = []) {
  return new SumClient(`u${n}`, `c_${n}`, 10, n, undefined, {
    benchmark(job) {
      jobs.push(job);
      return { miniBatches: 10, seconds };
    },
  });
}

Deno.test("runSession() measures all clients before round 1, within the limits of the config", async () => {
  const jobs: TrainJob[] = [];
  const world = await createWorld({
    clients: [timed(1, 4, jobs), timed(2, 1, jobs), timed(3, 5, jobs), timed(4, 1.2, jobs)],
    config: configOf({
      benchmark: { ...bench, learning_rate: 0.5 },
      session: {
        client_selection: "tiered_roundrobin",
        client_selection_args: { num_tiers: 2 },
      },
      server: { num_training_rounds: 3 },
    }),
  });
  const state = await start(world);
  assert.deepEqual([state.status, state.reason], ["finished", null]);
  const { options, dataset } = jobs[0]!;
  assert.deepEqual(
    [options.maxMiniBatches, options.timeLimitSeconds, options.batchSize, options.learningRate],
    [5, null, 8, 0.5],
  );
  assert.equal(dataset, "D");
  assert.equal(jobs.length, 4, "each once");
  // After all of round 1 the fast tier and then the slow one.
  assert.deepEqual(
    state.rounds.slice(1).map(({ selected }) => selected.map(({ name }) => name)),
    [["c_2", "c_4"], ["c_1", "c_3"]],
  );
});

Deno.test("runSession() keeps measurements by client, package and batch size for later runs", async () => {
  const store = openMemoryStore();
  const jobs: TrainJob[] = [];
  const config = configOf({ benchmark: bench });
  const first = await createWorld({ clients: [timed(1, 4, jobs)], config, store });
  await start(first);
  assert.deepEqual(await store.records.entries("benchmark/"), [
    [`benchmark/u1/${PACKAGE.hash}/8`, { miniBatches: 10, seconds: 4 }],
  ]);
  const second = await createWorld({ clients: [timed(1, 9, jobs)], config, store });
  await start(second);
  assert.equal(jobs.length, 1);
  const [known] = await eventsOf(second, "client_benchmarked");
  assert.deepEqual(known!.benchmark, { miniBatches: 10, seconds: 4 });
  const other = configOf({ benchmark: { ...bench, batch_size: 16 } });
  await start(await createWorld({ clients: [timed(1, 9, jobs)], config: other, store }));
  assert.equal(jobs.length, 2);
});

Deno.test("runSession() goes on with a client that cannot be measured, and asks it once", async () => {
  let asked = 0;
  const broken = new SumClient("u1", "c_1", 10, 1, undefined, {
    benchmark: () => {
      asked++;
      throw new Error("no time");
    },
  });
  const world = await createWorld({
    clients: [broken, timed(2, 1)],
    config: configOf({ benchmark: bench, server: { num_training_rounds: 3 } }),
  });
  const state = await start(world);
  assert.equal(state.status, "finished");
  assert.equal(asked, 1);
  const events = await eventsOf(world, "client_benchmarked") as ClientBenchmarked[];
  const failed = events.find(({ client }) => client.id === "u1")!;
  assert.equal(failed.benchmark, null);
  assert.match(failed.reason!, /no time/);
  assert.equal(state.rounds[0]!.selected.length, 2);
});

Deno.test("runSession() measures who joins later without holding up the others", async () => {
  const gate = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const late = new SumClient("u2", "c_2", 10, 1, undefined, {
    async benchmark() {
      asked.resolve();
      await gate.promise;
      return { miniBatches: 1, seconds: 1 };
    },
  });
  const isMeasured = async () => {
    for await (const item of world.journal.follow(0, AbortSignal.timeout(10_000))) {
      if (item.kind === "note") continue;
      const { event } = item.entry;
      if (event.type === "client_benchmarked" && event.client.id === "u2") return;
    }
  };
  const world = await createWorld({
    clients: [
      new SumClient("u1", "c_1", 10, 1, async (job, honest) => {
        if (job.round === 1) world.fleet.join(late);
        // Round 2 begins without the late one, whose measurement goes on.
        if (job.round === 2) await asked.promise;
        if (job.round === 4) {
          gate.resolve();
          await isMeasured();
        }
        return honest();
      }),
    ],
    config: configOf({ benchmark: bench, server: { num_training_rounds: 5 } }),
  });
  const state = await start(world);
  assert.equal(state.status, "finished");
  assert.deepEqual(state.rounds.map(({ selected }) => selected.length), [1, 1, 1, 1, 2]);
});

Deno.test("runSession() benchmarks where it is told, or a limit is written and speed matters", async () => {
  const measured = async (selection: string, benchmark?: Record<string, unknown>) => {
    const jobs: TrainJob[] = [];
    await start(
      await createWorld({
        clients: [timed(1, 1, jobs)],
        config: configOf({
          session: { client_selection: selection },
          ...(benchmark && { benchmark }),
        }),
      }),
    );
    return jobs.length;
  };
  const limited = { bench_minibatch_count: 5 };
  assert.equal(await measured("tifl_lite"), 0);
  assert.equal(await measured("tifl_lite", limited), 1);
  assert.equal(await measured("tifl_lite", { ...limited, skip_benchmark: true }), 0);
  assert.equal(await measured("random", limited), 0);
  assert.equal(await measured("random", { skip_benchmark: false }), 1);
});

/** A client that says how well the weights serve it: the better the nearer to `at`. */
function judging(n: number, at: number, asked: string[]) {
  return new SumClient(`u${n}`, `c_${n}`, 10, 10, undefined, {
    validate(job, client) {
      asked.push(`c_${n} before ${job.round}`);
      const [value] =
        decodeWeights(client.weights.get(job.weights) as Uint8Array<ArrayBuffer>).values;
      return { loss: Math.abs(value! - at), accuracy: null, samples: 5 };
    },
  });
}

Deno.test("runSession() has clients validate the current weights for a strategy that asks for it", async () => {
  const asked: string[] = [];
  const world = await createWorld({
    clients: [judging(1, 0, asked), judging(2, 100, asked)],
    config: configOf({
      session: {
        client_selection: "high_loss",
        client_selection_args: { num_clients_per_round: 1, validation_round_interval: 1 },
      },
      server: { num_training_rounds: 3 },
    }),
  });
  const state = await start(world);
  assert.deepEqual([state.status, state.reason], ["finished", null]);
  assert.deepEqual(asked.sort(), [
    "c_1 before 2",
    "c_1 before 3",
    "c_2 before 2",
    "c_2 before 3",
  ]);
  const events = await eventsOf(world, "clients_validated") as ClientsValidated[];
  // After round 1 the weights are 10, after round 2 they are 20.
  assert.deepEqual(
    events.map(({ results }) => results.map(({ evaluation }) => evaluation!.loss)),
    [[10, 90], [20, 80]],
  );
  // Only weights that a client has not yet are sent: after round 1, in which both had trained.
  assert.ok(events.flatMap(({ results }) => results).every(({ bytesDown }) => bytesDown! > 0));
  assert.deepEqual(
    state.rounds.slice(1).map(({ selected }) => selected[0]!.name),
    ["c_2", "c_2"],
  );
});

Deno.test("runSession() asks nobody to validate for a strategy that needs it not", async () => {
  const asked: string[] = [];
  const world = await createWorld({ clients: [judging(1, 0, asked)] });
  await start(world);
  assert.deepEqual(asked, []);
});

Deno.test("runSession() selects although a client does not validate, or has no test items", async () => {
  const world = await createWorld({
    clients: [
      new SumClient("u1", "c_1", 1, 1, undefined, {
        validate: () => Promise.reject(new Error("out of memory")),
      }),
      new SumClient("u2", "c_2", 1, 1, undefined, {
        validate: () => ({ loss: 0, accuracy: null, samples: 0 }),
      }),
    ],
    config: configOf({
      session: { client_selection: "tifl", client_selection_args: { num_clients: 2 } },
    }),
  });
  const state = await start(world);
  assert.equal(state.status, "finished");
  const [first] = await eventsOf(world, "clients_validated") as ClientsValidated[];
  assert.match(first!.results[0]!.reason!, /out of memory/);
  assert.deepEqual(first!.results[1]!.reason, "It has no test split");
  assert.equal(state.rounds[0]!.selected.length, 2);
});

Deno.test("runSession() does not have clients validate again after a restart", async () => {
  const store = openMemoryStore();
  const asked: string[] = [];
  const echoes = new Collected<string>();
  const shutdown = new AbortController();
  const config = configOf({ session: { client_selection: "tifl" } });
  const before = await createWorld({
    clients: [judging(1, 0, asked)],
    config,
    store,
    before({ name }) {
      if (name !== "echo") return;
      echoes.add(name);
      return new Promise(() => {});
    },
  });
  const run = start(before, shutdown.signal);
  await echoes.first("the echo of round 1");
  shutdown.abort(new Error("power cut"));
  await assert.rejects(run, /power cut/);
  assert.deepEqual(asked, ["c_1 before 1"]);
  const after = await createWorld({
    clients: [judging(1, 0, asked)],
    config,
    store,
    resume: before.journal.id,
  });
  assert.equal((await start(after)).status, "finished");
  assert.deepEqual(asked, ["c_1 before 1", "c_1 before 2"]);
});

Deno.test("runSession() replaces a client that fails inside the round, with the strategy reliable", async () => {
  const broken = new SumClient("u1", "c_1", 1, 1, () => Promise.reject(new Error("no data")));
  const clients = [broken, ...[2, 3].map((n) => new SumClient(`u${n}`, `c_${n}`, 1, n))];
  let [replacedOnce, rounds] = [false, 0];
  for (let seed = 0; seed < 8; seed++) {
    const world = await createWorld({
      clients,
      config: configOf({
        session: {
          seed,
          client_selection: "reliable",
          client_selection_args: { num_clients_per_round: 2 },
        },
      }),
    });
    const state = await start(world);
    assert.equal(state.status, "finished");
    for (const { updates, failures } of state.rounds) {
      assert.equal(updates.length, 2, "a round is never short");
      rounds += 1;
      if (failures.length > 0) replacedOnce = true;
    }
    const failures = state.rounds.flatMap((round) => round.failures);
    assert.ok(failures.length <= 1, "it is dropped after its failure");
  }
  assert.ok(replacedOnce && rounds === 16);
});

Deno.test("runSession() keeps an asynchronous run with updates_per_round going to its end", async () => {
  const world = await createWorld({
    clients: [1, 2, 3].map((n) => new SumClient(`u${n}`, `c_${n}`, 1, n)),
    config: configOf({
      session: {
        aggregator: "fedasync",
        aggregator_args: v.parse(fedasync.args, { updates_per_round: 2 }),
        client_selection: "fedasync",
      },
      server: { num_training_rounds: 6 },
    }),
  });
  const state = await start(world);
  assert.equal(state.status, "finished");
  assert.deepEqual(state.rounds.map(({ updates }) => updates.length), [2, 2, 2, 2, 2, 2]);
});
