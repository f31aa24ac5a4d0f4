/** Runs that go on after they have ended, forks, and what is kept for them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { weightsId } from "../../src/core/weights_id.ts";
import { CheckpointFolder } from "../../src/server/checkpoint_folder.ts";
import { UnknownSessionError } from "../../src/server/session_service.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import { inTempFolder } from "../fixtures/temp_folder.ts";
import { configOf, PACKAGE, SumClient } from "../session/world.ts";
import { HeldClient, Leader, type LeaderOptions } from "./sessions_world.ts";

const RESTORE = { how: "restore", file: null, config: null } as const;
const fourRounds = configOf({
  session: { checkpoint_interval: 2 },
  server: { num_training_rounds: 4 },
});
const submission = { config: fourRounds, modelPackage: PACKAGE };

/** Trains at once, but from a given round on only when it is let go. */
class PausingClient extends HeldClient {
  constructor(name: string, readonly from: number) {
    super(name);
  }

  override train(...args: Parameters<HeldClient["train"]>) {
    const [job] = args;
    return job.round < this.from
      ? SumClient.prototype.train.call(this.plain, ...args)
      : super.train(
        ...args,
      );
  }

  /** The same client, never held. */
  get plain(): SumClient {
    const { id, name, samples, step } = this;
    return Object.assign(new SumClient(id, name, samples, step), { weights: this.weights });
  }
}

/** A run stopped in its third round. */
async function stoppedRun(options: LeaderOptions = {}) {
  const client = new PausingClient("c_1", 3);
  const other = new SumClient("u2", "c_2", 30, 5);
  const leader = new Leader({ ...options, clients: [client, other] });
  const id = await leader.sessions.submit(submission);
  await client.atWork.first("round 3");
  await leader.sessions.stop(id, "enough");
  client.letGo();
  return { leader, id, client };
}

async function undisturbed(): Promise<string> {
  const leader = new Leader({
    clients: [new SumClient("id of c_1", "c_1", 10, 1), new SumClient("u2", "c_2", 30, 5)],
  });
  const id = await leader.sessions.submit(submission);
  await leader.events(id);
  await leader.sessions.close();
  return (await leader.sessions.get(id)).weights!;
}

Deno.test("Sessions.continue() restores a stopped run to the undisturbed run's weights", async () => {
  const { leader, id } = await stoppedRun();
  await leader.sessions.continue(id.slice(0, 8), { ...RESTORE, config: fourRounds });
  const events = await leader.events(id);
  const types = events.map(({ type }) => type);
  assert.equal(types.at(-1), "session_finished");
  assert.equal(types.filter((type) => type === "session_continued").length, 1);
  // The third round goes on: it is not opened anew.
  assert.equal(types.filter((type) => type === "round_started").length, 4);
  assert.equal((await leader.sessions.get(id)).weights, await undisturbed());
  await leader.sessions.close();
});

Deno.test("Sessions.continue() restores a run that failed for want of updates by asking again who failed", async () => {
  let broken = true;
  const client = new SumClient("u1", "c_1", 10, 1, (_job, honest) => {
    if (broken) throw new Error("out of memory");
    return honest();
  });
  const leader = new Leader({ clients: [client] });
  const config = configOf({
    session: { max_failed_rounds: 0 },
    server: { num_training_rounds: 4 },
  });
  const id = await leader.sessions.submit({ ...submission, config });
  assert.equal((await leader.events(id)).at(-1)!.type, "session_failed");
  broken = false;
  await leader.sessions.continue(id, RESTORE);
  assert.equal((await leader.events(id)).at(-1)!.type, "session_finished");
  const { rounds, reason } = await leader.sessions.get(id);
  assert.deepEqual([rounds[0]!.failures, rounds.length, reason], [[], 4, null]);
  await leader.sessions.close();
});

Deno.test("Sessions.continue() refuses what is unknown, finished, running or of another config", async () => {
  const { leader, id, client } = await stoppedRun();
  const { sessions } = leader;
  await assert.rejects(sessions.continue("nobody", RESTORE), UnknownSessionError);
  const other = configOf({ client: { learning_rate: 0.5 }, server: { num_training_rounds: 4 } });
  await assert.rejects(sessions.continue(id, { ...RESTORE, config: other }), {
    name: "ContinuationError",
    message:
      /another config: session_config\.checkpoint_interval is null in it and 2 in the session; client_training_config\.learning_rate is 0\.5 in it and 0\.01/,
  });
  await assert.rejects(sessions.continue(id, { ...RESTORE, file: { round: null } }), /this leader/);
  assert.equal((await sessions.get(id)).status, "stopped");
  const first = sessions.continue(id, RESTORE);
  await assert.rejects(sessions.continue(id, RESTORE), /being continued already/);
  await first;
  await assert.rejects(sessions.continue(id, RESTORE), /only a run that has failed or was stopped/);
  await leader.events(id);
  await assert.rejects(sessions.continue(id, RESTORE), /has finished: fork it/);
  assert.ok(client.jobs.length > 0);
  await sessions.close();
});

Deno.test("Sessions.continue() from a checkpoint goes back to it, in a store that has more or nothing", async () => {
  await inTempFolder(async (folder) => {
    const checkpoints = new CheckpointFolder(join(folder, "checkpoint"), "test");
    const { leader, id } = await stoppedRun({ checkpoints });
    const [file] = await Array.fromAsync(Deno.readDir(join(folder, "checkpoint")));
    assert.equal(file!.name, `${id}_2.flotilla`);
    const fromFile = { ...RESTORE, file: { round: null } };
    await leader.sessions.continue(id, fromFile);
    await leader.events(id);
    const { weights, rounds } = await leader.sessions.get(id);
    assert.deepEqual([weights, rounds.length], [await undisturbed(), 4]);
    await assert.rejects(
      leader.sessions.continue(id, { ...fromFile, file: { round: 3 } }),
      /no such checkpoint: there are those of rounds 2, 4/,
    );
    await leader.sessions.close();

    const clients = [new SumClient("id of c_1", "c_1", 10, 1), new SumClient("u2", "c_2", 30, 5)];
    const fresh = new Leader({ checkpoints, clients });
    await fresh.sessions.continue(id, { ...fromFile, file: { round: 2 } });
    await fresh.events(id);
    assert.equal((await fresh.sessions.get(id)).weights, weights);
    await assert.rejects(
      fresh.sessions.continue("0000", fromFile),
      /has no checkpoint of it/,
    );
    await fresh.sessions.close();
  });
});

Deno.test("Sessions.fork() repeats a run from a round, or goes elsewhere with other settings", async () => {
  const { leader, id } = await stoppedRun();
  const { sessions } = leader;
  const same = await sessions.fork(id, { round: 2, config: null });
  await leader.events(same);
  const forked = await sessions.get(same);
  assert.equal(forked.weights, await undisturbed());
  assert.deepEqual(forked.parent, { session: id, round: 2 });
  const config = configOf({ server: { num_training_rounds: 3 }, session: { seed: 1 } });
  const short = await sessions.fork(id, { round: 1, config });
  await leader.events(short);
  const { rounds, seed } = await sessions.get(short);
  assert.deepEqual([rounds.length, seed], [3, 1]);

  const refusals: [Parameters<typeof sessions.fork>[1], RegExp][] = [
    [{ round: 3, config: null }, /it has finished 2 rounds: its weights are there of round 1, 2/],
    [{ round: 2, config: configOf() }, /num_training_rounds is 2: set/],
    [
      { round: 1, config: configOf({ client: { model_id: "other" } }) },
      /model "other" as its weights are those of "sum"/,
    ],
  ];
  for (const [fork, message] of refusals) await assert.rejects(sessions.fork(id, fork), message);
  assert.equal((await sessions.list()).length, 3);
  await sessions.close();
});

Deno.test("Sessions.collectGarbage() frees what no run needs, and no more", async () => {
  const store = openMemoryStore();
  const { leader, id } = await stoppedRun({ store });
  const orphan = new Uint8Array([1, 2, 3]);
  await store.blobs.put(orphan);
  const before = await store.blobs.list();
  const trial = await leader.sessions.collectGarbage(true);
  assert.deepEqual([trial.blobs, trial.bytes, trial.unknownBlobs], [1, 3, 0]);
  assert.deepEqual(await store.blobs.list(), before);
  assert.deepEqual(await leader.sessions.collectGarbage(false), trial);
  assert.equal(await store.blobs.has(weightsId(orphan)), false);
  await leader.sessions.continue(id, RESTORE);
  await leader.events(id);
  assert.equal((await leader.sessions.get(id)).weights, await undisturbed());
  await leader.sessions.close();
});

Deno.test("Sessions.collectGarbage() leaves unknown blobs while a run is at work", async () => {
  const client = new HeldClient();
  const leader = new Leader({ clients: [client] });
  await leader.sessions.submit(submission);
  await client.atWork.first("training");
  await leader.store.blobs.put(new Uint8Array([1, 2, 3]));
  const { blobs, unknownBlobs } = await leader.sessions.collectGarbage(false);
  assert.deepEqual([blobs, unknownBlobs], [0, 1]);
  client.letGo();
  await leader.sessions.close();
});
