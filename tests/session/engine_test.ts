import assert from "node:assert/strict";
import { RpcError, SessionFailedError } from "../../src/core/errors.ts";
import { decodeWeights, encodeWeights } from "../../src/core/weights.ts";
import { weightsId } from "../../src/core/weights_id.ts";
import { runSession, StopRequest } from "../../src/session/engine.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import { VirtualClock } from "../fixtures/virtual_clock.ts";
import { configOf, createWorld, LAYOUT, SumClient, updateOf, type World } from "./world.ts";

const never = new AbortController().signal;

function run({ context, model }: World, signal = never) {
  return runSession(context, () => Promise.resolve(model), signal);
}

async function finalValues({ store, journal }: World): Promise<number[]> {
  return [...decodeWeights((await store.blobs.get(journal.state.weights!))!).values];
}

function eventTypes({ seen }: World): string[] {
  return seen.flatMap((item) => item.kind === "event" ? [item.entry.event.type] : []);
}

/** Lets the follower take what was told. */
function settled(world: World): Promise<void> {
  return new Promise((resolve) => {
    const look = () =>
      eventTypes(world).some((type) => /finished|failed|stopped/.test(type))
        ? setTimeout(resolve)
        : setTimeout(look);
    look();
  });
}

Deno.test("runSession() averages by samples over two rounds, as computed by hand", async () => {
  const world = await createWorld({
    clients: [new SumClient("u1", "c_1", 100, 1), new SumClient("u2", "c_2", 300, 5)],
  });
  const state = await run(world);
  assert.equal(state.status, "finished");
  // Each round adds (100 * 1 + 300 * 5) / 400 = 4 to every weight.
  assert.deepEqual(await finalValues(world), [8, 8, 8]);
  await settled(world);
  assert.deepEqual(eventTypes(world), [
    "session_submitted",
    "session_started",
    "round_started",
    "update_received",
    "update_received",
    "round_finished",
    "round_started",
    "update_received",
    "update_received",
    "round_finished",
    "session_finished",
  ]);
});

Deno.test("runSession() gives the same bytes whatever the order of arrival and the UUIDs", async () => {
  const ids: string[] = [];
  const orders = [[1, 2, 3], [3, 2, 1], [2, 3, 1]];
  for (const [i, order] of orders.entries()) {
    let turn = 0;
    const waiting: (() => void)[] = [];
    const clients = order.map((n) =>
      new SumClient(`uuid-${i}-${9 - n}`, `c_${n}`, n * 7, 0.1 * n, async (_job, honest) => {
        // Everybody waits until it is its turn in this order.
        const mine = order.indexOf(n);
        while (turn % order.length !== mine) {
          await new Promise<void>((resolve) => waiting.push(resolve));
        }
        const update = honest();
        setTimeout(() => {
          turn++;
          for (const wake of waiting.splice(0)) wake();
        }, 5);
        return update;
      })
    );
    const state = await run(await createWorld({ clients }));
    assert.equal(state.status, "finished");
    ids.push(state.weights!);
  }
  assert.equal(new Set(ids).size, 1);
});

Deno.test("runSession() refuses NaN in an update, names the client, and goes on", async () => {
  const poisoned = new SumClient("u2", "c_2", 300, 5, () => {
    return updateOf(LAYOUT, new Float32Array([1, NaN, 3]), 300);
  });
  const world = await createWorld({ clients: [new SumClient("u1", "c_1", 100, 1), poisoned] });
  const state = await run(world);
  assert.equal(state.status, "finished");
  assert.deepEqual(await finalValues(world), [2, 2, 2]);
  assert.deepEqual(state.rounds[0]!.failures, [{
    type: "client_failed",
    round: 1,
    client: { id: "u2", name: "c_2" },
    reason: 'Cannot use an update with NaN in tensor "a" at 1',
  }]);
});

Deno.test("runSession() refuses an update of another shape, hash, size or without samples", async () => {
  const other = [{ name: "a", shape: [3], offset: 0, size: 3 }];
  const good = updateOf(LAYOUT, new Float32Array(3), 10);
  const { header } = good;
  const lies = [
    [
      updateOf(other, new Float32Array(3), 10),
      'Cannot use weights with tensor "a" [3]: expected tensor "a" [2]',
    ],
    [
      { ...good, header: { ...header, weights: "0".repeat(64) } },
      `Cannot store bytes with hash ${header.weights}: they claim ${"0".repeat(64)}`,
    ],
    [
      { ...good, header: { ...header, bytes: 1e12 } },
      "Cannot use an update that claims 1000000000000 bytes: expected 12 to ",
    ],
    [
      { ...good, header: { ...header, samples: 0 } },
      "Cannot use an update trained on 0 samples: expected a whole number above 0",
    ],
    [
      { ...good, header: { ...header, metrics: { ...header.metrics, loss: Infinity } } },
      "Cannot use an update with loss Infinity and accuracy 0.75: expected finite numbers",
    ],
  ] as const;
  for (const [answer, reason] of lies) {
    const liar = new SumClient("u2", "c_2", 10, 1, () => answer);
    const world = await createWorld({
      clients: [new SumClient("u1", "c_1", 100, 1), liar],
      config: configOf({ server: { num_training_rounds: 1 } }),
    });
    const state = await run(world);
    assert.equal(state.status, "finished");
    const failure = state.rounds[0]!.failures[0]!.reason;
    assert.ok(failure.startsWith(reason), `${failure} does not start with ${reason}`);
    assert.deepEqual(await finalValues(world), [1, 1, 1]);
  }
});

Deno.test("runSession() fails with all reasons if every client fails", async () => {
  const broken = (id: string) =>
    new SumClient(id, id, 1, 1, () => Promise.reject(new SessionFailedError(`${id} is broken`)));
  const world = await createWorld({ clients: [broken("c_1"), broken("c_2")] });
  const state = await run(world);
  assert.equal(state.status, "failed");
  assert.match(
    state.reason!,
    /^Round 2 has 0 updates as min_updates is 1, and round 1 was given up: c_1: .*broken; c_2: /,
  );
  assert.equal(world.saved.at(-1)!.status, "failed");
});

Deno.test("runSession() replaces a client that does not answer its echo", async () => {
  const clients = [1, 2, 3].map((n) => new SumClient(`u${n}`, `c_${n}`, 1, 1));
  const silent = new Set<string>();
  const world = await createWorld({
    clients,
    config: configOf({
      session: { client_selection_args: { num_clients_per_round: 2 }, echo_timeout_s: 0.05 },
      server: { num_training_rounds: 1 },
    }),
    before({ client, name, signal }) {
      if (name !== "echo") return;
      if (silent.size === 0) silent.add(client);
      if (!silent.has(client)) return;
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
  });
  const state = await run(world);
  assert.equal(state.status, "finished");
  const [round] = state.rounds;
  const [replacement] = round!.replaced;
  assert.deepEqual(replacement!.client.id, [...silent][0]);
  assert.equal(round!.selected.length, 2);
  assert.ok(round!.selected.some(({ id }) => id === replacement!.by!.id));
  assert.ok(!round!.selected.some(({ id }) => id === replacement!.client.id));
});

Deno.test("runSession() waits before a round for a client without which there are too few", async () => {
  const clients = [1, 3].map((n) => new SumClient(`u${n}`, `c_${n}`, 1, n));
  let silentEchoes = 0;
  const world = await createWorld({
    clients,
    returnMs: 30_000,
    config: configOf({ session: { client_selection: "all", min_clients: 2, min_updates: 2 } }),
    before({ client, name }) {
      if (name !== "echo" || client !== "u3" || silentEchoes === 2) return;
      silentEchoes++;
      throw new RpcError("unavailable", "the client is starting");
    },
  });
  const state = await run(world);
  assert.equal(state.status, "finished");
  assert.deepEqual(state.rounds.map(({ selected, replaced }) => [selected.length, replaced]), [
    [2, []],
    [2, []],
  ]);
  // Each round adds the mean of 1 and 3.
  assert.deepEqual(await finalValues(world), [4, 4, 4]);
});

Deno.test("runSession() sends no weights to a client that has them", async () => {
  // Alone in its round, a client's own update is the next global model, which it does not keep.
  const client = new SumClient("u1", "c_1", 1, 0);
  const world = await createWorld({ clients: [client] });
  const { bytes } = encodeWeights({ layout: LAYOUT, values: new Float32Array(3) });
  const state = await run(world);
  // It adds nothing, so the weights of round 2 are those of round 1: they travel once.
  assert.equal(client.weightsReceived, bytes.length);
  assert.equal(client.jobs.length, 2);
  assert.equal(client.jobs[1]!.weights, weightsId(bytes));
  const [first, second] = state.rounds.map(({ updates }) => updates[0]!.bytesDown);
  assert.equal(first, bytes.length + 2);
  assert.equal(second, 0);
});

Deno.test("runSession() waits for min_clients and says how many came when they do not", async () => {
  const clock = new VirtualClock();
  const world = await createWorld({
    clients: [new SumClient("u1", "c_1", 1, 1)],
    clock,
    config: configOf({ session: { min_clients: 3, wait_for_clients_s: 30 } }),
  });
  const ended = run(world);
  await clock.someoneSleeps();
  world.fleet.join(new SumClient("u2", "c_2", 1, 1));
  await clock.someoneSleeps();
  clock.advance(30_000);
  const state = await ended;
  assert.equal(state.status, "failed");
  assert.equal(
    state.reason,
    "Cannot start round 1 as min_clients is 3: 2 came within 30 s that hold the dataset " +
      '"D", 2 are active in all',
  );
});

Deno.test("runSession() starts as soon as a late joiner makes the number", async () => {
  const clock = new VirtualClock();
  const world = await createWorld({
    clients: [new SumClient("u1", "c_1", 1, 1)],
    clock,
    config: configOf({ session: { min_clients: 2 } }),
  });
  const ended = run(world);
  await clock.someoneSleeps();
  world.fleet.join(new SumClient("u2", "c_2", 1, 3));
  assert.equal((await ended).status, "finished");
  assert.deepEqual(await finalValues(world), [4, 4, 4]);
});

Deno.test("runSession() stops on request while clients train, and cancels them", async () => {
  let cancelled = 0;
  const slow = (n: number) =>
    new SumClient(`u${n}`, `c_${n}`, 1, 1, (_job, _honest, signal) => {
      if (n === 2) setTimeout(() => controller.abort(new StopRequest("enough")));
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          cancelled++;
          reject(signal.reason);
        })
      );
    });
  const controller = new AbortController();
  const world = await createWorld({ clients: [slow(1), slow(2)] });
  const state = await run(world, controller.signal);
  assert.equal(state.status, "stopped");
  assert.equal(state.reason, "enough");
  assert.equal(cancelled, 2);
  assert.deepEqual([...world.fleet.training.values()], [false, false]);
});

Deno.test("runSession() goes on after a restart with the same result and repeats only what is open", async () => {
  const undisturbed = await run(
    await createWorld({
      clients: [new SumClient("u1", "c_1", 1, 1), new SumClient("u2", "c_2", 2, 3)],
    }),
  );
  const store = openMemoryStore();
  const shutdown = new AbortController();
  let holdBack = true;
  const first = new SumClient("u1", "c_1", 1, 1);
  const second = new SumClient("u2", "c_2", 2, 3, (_job, honest, signal) => {
    if (!holdBack) return honest();
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason))
    );
  });
  const before = await createWorld({ clients: [first, second], store });
  const cut = run(before, shutdown.signal);
  await waitFor(() => before.journal.state.pending.length === 1);
  shutdown.abort(new Error("power cut"));
  await assert.rejects(cut, /power cut/);
  holdBack = false;
  const after = await createWorld({
    clients: [first, second],
    store,
    resume: before.journal.id,
  });
  const state = await run(after);
  assert.equal(state.status, "finished");
  assert.equal(state.weights, undisturbed.weights);
  assert.deepEqual(first.jobs.map(({ round }) => round), [1, 2]);
  assert.deepEqual(second.jobs.map(({ round }) => round), [1, 1, 2]);
});

Deno.test("runSession() journals validations of the due rounds and of the last one", async () => {
  const world = await createWorld({
    clients: [new SumClient("u1", "c_1", 1, 1)],
    config: configOf({
      session: { validation_round_interval: 2 },
      server: { num_training_rounds: 5 },
    }),
    validate(bytes) {
      const [first] = decodeWeights(new Uint8Array(bytes)).values;
      return Promise.resolve({ loss: first!, accuracy: 0.5, samples: 10 });
    },
  });
  const state = await run(world);
  assert.deepEqual(
    state.rounds.map(({ validation }) => validation?.loss ?? null),
    [null, 2, null, 4, 5],
  );
});

Deno.test("runSession() fails when its global timeout is over", async () => {
  const clock = new VirtualClock();
  const world = await createWorld({
    clients: [],
    clock,
    config: configOf({
      session: { wait_for_clients_s: 1000 },
      server: { global_timeout_duration_s: 5 },
    }),
  });
  const ended = run(world);
  await waitFor(() => world.seen.some(({ kind }) => kind === "note"));
  clock.advance(5000);
  const state = await ended;
  assert.equal(state.status, "failed");
  assert.match(state.reason!, /global timeout of 5 s/);
});

async function waitFor(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("waited 5 s in vain");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
