/** Rounds that end with too few updates: the run goes on without them, or fails of them. */
import assert from "node:assert/strict";
import * as v from "valibot";
import { fedasync } from "../../src/aggregation/fedasync.ts";
import type { SessionConfig } from "../../src/config/session_config.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import { collectGarbage } from "../../src/server/garbage.ts";
import type { FinishedUpdate, TrainJob } from "../../src/rpc/transport.ts";
import { restored, revived } from "../../src/session/continuation.ts";
import { runSession } from "../../src/session/engine.ts";
import type { SessionEntry } from "../../src/session/events.ts";
import { keptWeights } from "../../src/session/kept_rounds.ts";
import type { SessionState } from "../../src/session/state.ts";
import type { Store } from "../../src/state/store.ts";
import { MortalStore, untilDeadOrOver } from "../fixtures/mortal_store.ts";
import { watchedStore } from "../fixtures/watched_store.ts";
import { configOf, createWorld, SumClient, updateOf, type World } from "./world.ts";

function start({ context, model }: World): Promise<SessionState> {
  return runSession(context, () => Promise.resolve(model), AbortSignal.timeout(20_000));
}

/** Client n, which adds n to each weight, but breaks in these rounds. */
function client(n: number, ...broken: number[]): SumClient {
  return new SumClient(`u${n}`, `c_${n}`, 10, n, breaksIn(...broken));
}

function breaksIn(...rounds: number[]): NonNullable<SumClient["answer"]> {
  return (job, honest) => {
    if (rounds.includes(job.round)) throw new Error("it broke");
    return honest();
  };
}

function config(
  rounds: number,
  session: Record<string, unknown> = {},
): SessionConfig {
  return configOf({
    session: { client_selection: "all", ...session },
    server: { num_training_rounds: rounds },
  });
}

async function firstWeight(store: Store, { weights }: SessionState): Promise<number> {
  return decodeWeights((await store.blobs.get(weights!))!).values[0]!;
}

/** The rounds that were given up, and why. */
function givenUp({ rounds }: SessionState): (readonly [number, string])[] {
  return rounds.flatMap(({ round, givenUp }) => givenUp ? [[round, givenUp.reason] as const] : []);
}

Deno.test("runSession() gives up rounds whose only client fails, and goes on with those that sat idle", async () => {
  const world = await createWorld({
    clients: [client(1), client(2, 1, 2, 3, 4, 5, 6, 7, 8), client(4)],
    config: config(8, {
      client_selection: "random",
      client_selection_args: { num_clients_per_round: 1 },
    }),
  });
  const state = await start(world);
  assert.deepEqual([state.status, state.rounds.length], ["finished", 8]);
  const names = (round: SessionState["rounds"][number]) => round.selected.map(({ name }) => name);
  const [lost, kept] = [
    state.rounds.filter((round) => round.givenUp !== null),
    state.rounds.filter((round) => round.finished !== null),
  ];
  assert(lost.length > 0 && kept.length > 0);
  for (const round of lost) {
    assert.deepEqual(names(round), ["c_2"]);
    assert.deepEqual(round.failures.map(({ client }) => client.name), ["c_2"]);
    assert.equal(round.givenUp!.reason, "0 updates as min_updates is 1");
  }
  const steps = kept.map((round) => names(round)[0] === "c_1" ? 1 : 4);
  const sum = steps.reduce((total, step) => total + step, 0);
  assert.equal(await firstWeight(world.store, state), sum);
});

Deno.test("runSession() fails when more rounds in a row are given up than max_failed_rounds", async () => {
  const broken = (...rounds: number[]) => [client(1, ...rounds), client(3, ...rounds)];
  const options = { max_failed_rounds: 2 };
  const world = await createWorld({
    clients: broken(1, 2, 4, 5, 7, 8, 9),
    config: config(10, options),
  });
  const state = await start(world);
  assert.equal(state.status, "failed");
  assert.match(
    state.reason!,
    /^Round 9 has 0 updates as min_updates is 1, and rounds 7 to 8 were given up: c_1: .*; c_3: /,
  );
  assert.deepEqual(givenUp(state).map(([round]) => round), [1, 2, 4, 5, 7, 8]);
  // The mean of 1 and 3 in each of rounds 3 and 6.
  assert.equal(await firstWeight(world.store, state), 4);
});

Deno.test("runSession() fails at the first round with too few updates if max_failed_rounds is 0", async () => {
  const world = await createWorld({
    clients: [client(1), client(3, 2)],
    config: config(3, { min_updates: 2, max_failed_rounds: 0 }),
  });
  const state = await start(world);
  assert.equal(state.status, "failed");
  assert.match(state.reason!, /^Round 2 has 1 updates as min_updates is 2: c_3: .*it broke$/);
  assert.deepEqual(givenUp(state), []);
});

Deno.test("runSession() fails rather than end with weights that nobody has trained", async () => {
  const world = await createWorld({ clients: [client(1, 1, 2)], config: config(2) });
  const state = await start(world);
  assert.equal(state.status, "failed");
  assert.match(state.reason!, /^Round 2 has 0 updates .*, and round 1 was given up: c_1: /);
});

Deno.test("runSession() evaluates the run's model though the last rounds were given up", async () => {
  const world = await createWorld({
    clients: [client(1, 4, 5)],
    config: config(5, { validation_round_interval: 2 }),
    validate: (bytes) =>
      Promise.resolve({
        loss: decodeWeights(new Uint8Array(bytes)).values[0]!,
        accuracy: null,
        samples: 1,
      }),
  });
  const state = await start(world);
  assert.equal(state.status, "finished");
  assert.deepEqual(givenUp(state).map(([round]) => round), [4, 5]);
  const losses = state.rounds.map(({ validation }) => validation?.loss ?? null);
  assert.deepEqual(losses, [null, 2, 3, null, null]);
});

Deno.test("runSession() writes no checkpoint of a round that was given up", async () => {
  const world = await createWorld({
    clients: [client(1, 2)],
    config: config(4, { checkpoint_interval: 1 }),
  });
  const saved: number[] = [];
  const saveCheckpoint = (round: number) => {
    saved.push(round);
    return Promise.resolve();
  };
  await start({ ...world, context: { ...world.context, saveCheckpoint } });
  assert.deepEqual(saved, [1, 3, 4]);
});

Deno.test("runSession() gives up no round of an asynchronous run in which others are at work", async () => {
  const world = await createWorld({
    clients: [client(1), client(3)],
    config: config(4, {
      aggregator: "fedasync",
      aggregator_args: v.parse(fedasync.args, {}),
      client_selection: "fedasync",
      min_updates: 2,
    }),
  });
  const state = await start(world);
  assert.equal(state.status, "failed");
  assert.match(state.reason!, /^Round 1 has 1 updates as min_updates is 2/);
  assert.deepEqual(givenUp(state), []);
});

for (const how of ["restored", "revived"] as const) {
  Deno.test(`runSession() goes on with a run that is ${how} after it had failed of its rounds`, async () => {
    const options = { config: config(4, { min_updates: 2, max_failed_rounds: 1 }) };
    const before = await createWorld({ clients: [client(1), client(3, 2, 3)], ...options });
    assert.equal((await start(before)).status, "failed");
    const { store, journal: { id, state: { seq } } } = before;
    const entries = await store.journal.read(id) as SessionEntry[];
    const event = how === "restored" ? restored(entries, new Set()) : revived(entries);
    await store.journal.append(id, seq, [event]);
    const clients = [client(1), client(3)];
    const state = await start(await createWorld({ clients, ...options, store, resume: id }));
    assert.equal(state.status, "finished");
    assert.deepEqual(givenUp(state), [[2, "1 updates as min_updates is 2"]]);
    assert.deepEqual(state.rounds.map(({ updates }) => updates.length), [2, 1, 2, 2]);
    // Rounds 1, 3 and 4 add the mean of 1 and 3.
    assert.equal(await firstWeight(store, state), 6);
  });
}

/**
 * Round 2 has no update, round 3 has one too few, and rounds 1, 4 and 5 add their number times the
 * mean of 1 and 3.
 */
const FIVE_ROUNDS = config(5, { min_updates: 2 });
const ADDED = 2 * (1 + 4 + 5);

/** Its updates differ from round to round, also from the same weights. */
class CountingClient extends SumClient {
  override honest(job: TrainJob): FinishedUpdate {
    const { layout, values } = decodeWeights(this.weights.get(job.weights)!);
    return updateOf(layout, values.map((value) => value + this.step * job.round), this.samples);
  }
}

function twoClients(): SumClient[] {
  return [
    new CountingClient("u1", "c_1", 10, 1, breaksIn(2)),
    new CountingClient("u3", "c_3", 10, 3, breaksIn(2, 3)),
  ];
}

/** Runs {@link FIVE_ROUNDS}; the first leader dies at a write. @returns whether it came to that */
async function cutOff(write: number, when: "before" | "after"): Promise<boolean> {
  const { store: kept, left } = watchedStore();
  const mortal = new MortalStore(kept);
  const options = { clients: twoClients(), config: FIVE_ROUNDS };
  const first = await createWorld({ ...options, store: mortal });
  mortal.dieAt(write, when);
  await untilDeadOrOver(mortal, start(first));
  const died = await kept.journal.read(first.journal.id) as SessionEntry[];
  const second = await createWorld({ ...options, store: kept, resume: first.journal.id });
  const { journal } = second;
  if (!journal.ended) await start(second);
  const { state } = journal;
  assert.equal(state.status, "finished");
  assert.deepEqual(givenUp(state), [
    [2, "0 updates as min_updates is 2"],
    [3, "1 updates as min_updates is 2"],
  ]);
  const answers = state.rounds.map(({ updates, failures }) =>
    [updates, failures].map((all) => all.map(({ client }) => client.name).sort())
  );
  const both = ["c_1", "c_3"];
  assert.deepEqual(answers, [
    [both, []],
    [[], both],
    [["c_1"], ["c_3"]],
    [both, []],
    [both, []],
  ]);
  assert.equal(await firstWeight(kept, state), ADDED);
  // An update may be stored that did not come to count; of a round that is given up none is left.
  const garbage = { blobs: kept.blobs, journals: [journal], isQuiet: true, isTrial: false };
  const hadJustGivenUp = died.at(-1)!.event.type === "round_given_up";
  if (mortal.isDead && !hadJustGivenUp) await collectGarbage(garbage);
  assert.deepEqual((await left()).sort(), [...keptWeights(state)].sort(), "blobs nobody needs");
  return mortal.isDead;
}

Deno.test("runSession() gives up the same rounds, to the same weights, when it is cut off at any write", async () => {
  for (const when of ["before", "after"] as const) {
    let write = 1;
    while (await cutOff(write, when)) write++;
    assert.ok(write > 20, `only ${write} writes`);
  }
});
