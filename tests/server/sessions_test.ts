import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  ConfigError,
  DataError,
  FileAccessError,
  ModelError,
  UnreachableError,
} from "../../src/core/errors.ts";
import { modelPackage } from "../../src/core/model_package.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import { createLogger, type LogRecord } from "../../src/log/log.ts";
import { UnknownSessionError } from "../../src/server/session_service.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import { openSqliteStore } from "../../src/state/sqlite.ts";
import type { Store } from "../../src/state/store.ts";
import { inTempFolder } from "../fixtures/temp_folder.ts";
import { configOf, PACKAGE, SumClient } from "../session/world.ts";
import { HeldClient, Leader } from "./sessions_world.ts";

const forever = new AbortController().signal;
const submission = { config: configOf(), modelPackage: PACKAGE };

function sumClient(n: number): SumClient {
  return new SumClient(`u${n}`, `c_${n}`, 10, n);
}

/** Ids that a reader tells apart: `aaaa-1`, `aaaa-2`, ... */
function numberedIds(): () => string {
  let n = 0;
  return () => `aaaa-${++n}`;
}

Deno.test("Sessions.submit() runs a session to its end and keeps its results", async () => {
  const leader = new Leader({ clients: [sumClient(1), sumClient(3)] });
  const id = await leader.sessions.submit(submission);
  const events = await leader.events(id);
  assert.equal(events.at(-1)!.type, "session_finished");
  const state = await leader.sessions.get(id);
  // The initial weights are one number below 1; two rounds add the mean of 1 and 3.
  const values = decodeWeights((await leader.store.blobs.get(state.weights!))!).values;
  assert.deepEqual([...values].map(Math.floor), [4, 4, 4]);
  assert.deepEqual(leader.results.saved, [{ id, end: events.at(-1), hasModel: true }]);
  assert.equal(leader.sessions.resultsFolder(id), `/runs/${id}`);
  assert.deepEqual(state.rounds.map(({ validation }) => validation?.samples), [10, 10]);
  await leader.sessions.close();
});

Deno.test("Sessions.submit() keeps the config's seed, and draws one if it has none", async () => {
  const leader = new Leader({ clients: [sumClient(1)] });
  const given = await leader.sessions.submit(submission);
  const drawn = await leader.sessions.submit({
    ...submission,
    config: configOf({ session: { seed: null } }),
  });
  assert.equal((await leader.sessions.get(given)).seed, 7);
  assert.equal((await leader.sessions.get(drawn)).seed, 99);
  await leader.events(drawn);
  await leader.sessions.close();
});

Deno.test("Sessions.submit() takes the leader's own package if none was sent", async () => {
  const own = modelPackage("own", { "model.json": new TextEncoder().encode("[]") });
  const leader = new Leader({
    clients: [sumClient(1)],
    findPackage: () => Promise.resolve(own),
  });
  const id = await leader.sessions.submit({ ...submission, modelPackage: null });
  const { model } = await leader.sessions.get(id);
  assert.deepEqual([model.id, model.hash], ["own", own.hash]);
  await leader.events(id);
  await leader.sessions.close();
});

Deno.test("Sessions.submit() queues behind the running session, in order of submission", async () => {
  const client = new HeldClient();
  const leader = new Leader({ clients: [client], newId: numberedIds() });
  assert.equal(leader.sessions.isBusy(), false);
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push(await leader.sessions.submit(submission));
  await client.atWork.first("the first session's training");
  assert.equal(leader.sessions.isBusy(), true);
  assert.deepEqual(
    (await leader.sessions.list()).map(({ id, status }) => `${id} ${status}`),
    ["aaaa-1 running", "aaaa-2 queued", "aaaa-3 queued"],
  );
  client.letGo();
  for (const id of ids) await leader.events(id);
  const started = client.jobs.map(({ session }) => session);
  assert.deepEqual(started, ["aaaa-1", "aaaa-1", "aaaa-2", "aaaa-2", "aaaa-3", "aaaa-3"]);
  await leader.sessions.close();
  assert.equal(leader.sessions.isBusy(), false);
});

Deno.test("Sessions.submit() echoes the clients that a run will begin with before it has a model", async () => {
  for (const [minClients, asked] of [[1, [0, 0]], [2, [1, 1]]] as const) {
    const clients = [sumClient(1), sumClient(2)];
    const refuse = () => {
      throw new ModelError("no such layer");
    };
    const leader = new Leader({ clients, refuse });
    const config = configOf({ session: { min_clients: minClients } });
    await assert.rejects(leader.sessions.submit({ ...submission, config }), /no such layer/);
    await new Promise((resolve) => setTimeout(resolve));
    assert.deepEqual(clients.map(({ echoes }) => echoes), asked);
    await leader.sessions.close();
  }
});

Deno.test("Sessions.submit() starts nothing when anything refuses, and says why", async () => {
  const refuse = (call: string, error: Error) =>
    new Leader({
      refuse(name) {
        if (name === call) throw error;
      },
    });
  const [model, data, file] = [
    new ModelError("no model"),
    new DataError("no data"),
    new FileAccessError("read-only"),
  ];
  const unwritable = new Leader();
  unwritable.results.error = file;
  const nowhere = new Leader({ findPackage: () => Promise.reject(model) });
  const refusals: [Leader, Error][] = [
    [refuse("initialise", model), model],
    [refuse("check", data), data],
    [unwritable, file],
  ];
  for (const [leader, error] of refusals) {
    await assert.rejects(leader.sessions.submit(submission), error);
    await startedNothing(leader);
  }
  await assert.rejects(nowhere.sessions.submit({ ...submission, modelPackage: null }), model);
  await startedNothing(nowhere);
  const wrong = modelPackage("sum", { "config.yaml": new TextEncoder().encode("a: {") });
  const leader = new Leader();
  await assert.rejects(
    leader.sessions.submit({ ...submission, modelPackage: wrong }),
    ConfigError,
  );
  await startedNothing(leader);
});

async function startedNothing({ sessions, store, trainers }: Leader): Promise<void> {
  assert.deepEqual(await store.journal.sessions(), []);
  assert.deepEqual(await sessions.list(), []);
  assert.equal(sessions.isBusy(), false);
  assert.deepEqual(trainers.map(({ closed }) => closed), trainers.map(() => true));
}

Deno.test("Sessions closes its trainer when no run needs it", async () => {
  const leader = new Leader({ clients: [sumClient(1)] });
  await leader.events(await leader.sessions.submit(submission));
  await leader.events(await leader.sessions.submit(submission));
  await leader.sessions.close();
  assert.ok(leader.trainers.length > 0);
  assert.deepEqual(leader.trainers.map(({ closed }) => closed), leader.trainers.map(() => true));
});

Deno.test("Sessions.stop() takes a queued session out of the queue", async () => {
  const client = new HeldClient();
  const leader = new Leader({ clients: [client] });
  const first = await leader.sessions.submit(submission);
  const second = await leader.sessions.submit(submission);
  await client.atWork.first("the first session's training");
  const state = await leader.sessions.stop(second, "enough");
  assert.deepEqual([state.status, state.reason], ["stopped", "enough"]);
  assert.deepEqual(await leader.journalled(second), ["session_submitted", "session_stopped"]);
  client.letGo();
  assert.equal((await leader.events(first)).at(-1)!.type, "session_finished");
  assert.ok(client.jobs.every(({ session }) => session === first));
  await leader.sessions.close();
});

Deno.test("Sessions.stop() ends the running session, and the next one begins", async () => {
  const client = new HeldClient();
  const leader = new Leader({ clients: [client] });
  const first = await leader.sessions.submit(submission);
  const second = await leader.sessions.submit(submission);
  await client.atWork.first("the first session's training");
  const state = await leader.sessions.stop(first, "enough");
  assert.deepEqual([state.status, state.reason], ["stopped", "enough"]);
  client.letGo();
  assert.equal((await leader.events(second)).at(-1)!.type, "session_finished");
  assert.deepEqual(leader.results.saved.map(({ id, end }) => [id, end.type]), [
    [first, "session_stopped"],
    [second, "session_finished"],
  ]);
  await leader.sessions.close();
});

Deno.test("Sessions.stop() changes nothing about a session that has ended", async () => {
  const leader = new Leader({ clients: [sumClient(1)] });
  const id = await leader.sessions.submit(submission);
  await leader.events(id);
  const { status, seq } = await leader.sessions.get(id);
  const stopped = await leader.sessions.stop(id, "too late");
  assert.deepEqual([stopped.status, stopped.seq], [status, seq]);
  await assert.rejects(leader.sessions.stop("nobody", "x"), UnknownSessionError);
  await leader.sessions.close();
});

Deno.test("Sessions.get() finds a session by its id or an unambiguous start of four or more", async () => {
  const ids = ["abcd-1", "abce-1", "abcd-12", "x"];
  const leader = new Leader({ newId: () => ids.shift()! });
  for (let i = 0; i < 4; i++) await leader.sessions.submit(submission);
  const found = async (id: string) => (await leader.sessions.get(id)).id;
  assert.equal(await found("abcd-1"), "abcd-1", "exact, though another begins so");
  assert.equal(await found("abcd-12"), "abcd-12");
  assert.equal(await found("abce"), "abce-1");
  assert.equal(await found("x"), "x");
  for (const id of ["abcd", "abc", "abcf", "", "abce-12"]) {
    await assert.rejects(leader.sessions.get(id), {
      name: "UnknownSessionError",
      message: `Cannot find session "${id}": flotilla ps lists those that this server knows`,
    });
  }
  const follower = leader.sessions.follow("nobody", 0, forever);
  await assert.rejects(follower.next(), UnknownSessionError);
  await leader.sessions.close();
});

Deno.test("Sessions.clients() shows the directory", () => {
  const leader = new Leader({ clients: [sumClient(2), sumClient(1)] });
  assert.deepEqual(leader.sessions.clients().map(({ name }) => name), ["c_1", "c_2"]);
});

/** Stores that outlive a leader: each call of `reopen` gives what the next process finds. */
const STORES: [string, (use: (reopen: () => Promise<Store>) => Promise<void>) => Promise<void>][] =
  [
    ["memory", (use) => {
      const store = openMemoryStore();
      return use(() => Promise.resolve(store));
    }],
    ["sqlite", (use) => inTempFolder((folder) => use(() => openSqliteStore(folder)))],
  ];

for (const [name, withStore] of STORES) {
  Deno.test(`Sessions.resume() goes on with running and queued sessions: ${name}`, async () => {
    const undisturbed = new Leader({ clients: [sumClient(1), sumClient(3)] });
    const alone = await undisturbed.sessions.submit(submission);
    await undisturbed.events(alone);
    const expected = (await undisturbed.sessions.get(alone)).weights;
    await undisturbed.sessions.close();

    await withStore(async (reopen) => {
      const first = new Leader({ store: await reopen(), newId: numberedIds() });
      const held = new HeldClient("c_3");
      first.join(sumClient(1));
      first.join(held);
      const running = await first.sessions.submit(submission);
      const queued = await first.sessions.submit(submission);
      await held.atWork.first("training");
      await first.sessions.close();
      assert.equal((await first.sessions.get(running)).status, "running");
      await first.store.close();

      const second = new Leader({ store: await reopen(), newId: () => "bbbb-1" });
      await second.sessions.resume();
      // Clients hear of the new leader later than it knows of its runs.
      second.join(sumClient(1));
      second.join(new SumClient(held.id, "c_3", 10, 3));
      assert.deepEqual((await second.sessions.list()).map(({ id }) => id), [running, queued]);
      for (const id of [running, queued]) {
        assert.equal((await second.events(id)).at(-1)!.type, "session_finished");
        assert.equal((await second.sessions.get(id)).weights, expected);
      }
      assert.deepEqual(
        (await second.journalled(running)).filter((type) => type === "session_started"),
        ["session_started"],
      );
      assert.deepEqual(second.results.saved.map(({ hasModel }) => hasModel), [true, true]);
      await second.sessions.close();
      await second.store.close();
    });
  });
}

Deno.test("Sessions.resume() leaves a session alone that was submitted to this process", async () => {
  const leader = new Leader({ clients: [sumClient(1)] });
  const [id] = await Promise.all([leader.sessions.submit(submission), leader.sessions.resume()]);
  await leader.sessions.resume();
  await leader.events(id);
  assert.deepEqual((await leader.sessions.list()).map((state) => state.id), [id]);
  assert.equal(leader.sessions.isBusy(), false);
  assert.equal(leader.results.saved.length, 1);
  await leader.sessions.close();
});

Deno.test("Sessions.resume() fails a session whose model package is gone, and goes on", async () => {
  const store = openMemoryStore();
  const first = new Leader({ store });
  const broken = await first.sessions.submit(submission);
  const other = await first.sessions.submit({
    ...submission,
    modelPackage: modelPackage("other", PACKAGE.files),
  });
  const { model: { blob } } = await first.sessions.get(broken);
  await first.sessions.close();
  await store.blobs.delete(blob);
  const second = new Leader({ store, clients: [sumClient(1)] });
  await second.sessions.resume();
  assert.deepEqual((await second.events(broken)).at(-1), {
    type: "session_failed",
    reason: `Cannot resume ${broken} as its model package is gone`,
  });
  assert.equal((await second.events(other)).at(-1)!.type, "session_finished");
  await second.sessions.close();
});

/** The first note of a type that a follower of a run sees. */
async function noteOf(leader: Leader, id: string, type: "paused" | "resumed") {
  for await (const item of leader.sessions.follow(id, 0, AbortSignal.timeout(20_000))) {
    if (item.kind === "note" && item.note.type === type) return item.note;
  }
  throw new Error(`no note "${type}"`);
}

Deno.test("Sessions pauses a run whose journal cannot be written, and goes on by itself", async () => {
  const store = openMemoryStore();
  const client = new HeldClient();
  const leader = new Leader({ store, clients: [client] });
  const id = await leader.sessions.submit(submission);
  await client.atWork.first("training");
  const { append } = store.journal;
  store.journal.append = () => Promise.reject(new FileAccessError("no space is left"));
  client.letGo();
  const paused = await noteOf(leader, id, "paused");
  assert.match(Reflect.get(paused, "reason"), /^no space is left \(\d+ bytes are needed\)$/);
  store.journal.append = append;
  assert.equal((await leader.events(id)).at(-1)!.type, "session_finished");
  await leader.sessions.close();
});

Deno.test("Sessions fails a run whose journal is damaged, and the next start goes on with it", async () => {
  const store = openMemoryStore();
  const client = new HeldClient();
  const leader = new Leader({ store, clients: [client] });
  const id = await leader.sessions.submit(submission);
  await client.atWork.first("training");
  const { append } = store.journal;
  store.journal.append = () => Promise.reject(new FileAccessError("the file is damaged"));
  client.letGo();
  assert.deepEqual((await leader.events(id)).at(-1), {
    type: "session_failed",
    reason: "the file is damaged. The server goes on with the run when it starts again",
  });
  assert.equal(leader.sessions.isBusy(), false);
  store.journal.append = append;
  const other = await leader.sessions.submit(submission);
  assert.equal((await leader.events(other)).at(-1)!.type, "session_finished");
  await leader.sessions.close();
  const next = new Leader({ store, clients: [client] });
  await next.sessions.resume();
  assert.equal((await next.events(id)).at(-1)!.type, "session_finished");
  await next.sessions.close();
});

Deno.test("Sessions leaves a paused run to the next start when it is closed", async () => {
  const store = openMemoryStore();
  const client = new HeldClient();
  const leader = new Leader({ store, clients: [client] });
  const id = await leader.sessions.submit(submission);
  await client.atWork.first("training");
  const { append } = store.journal;
  store.journal.append = () => Promise.reject(new FileAccessError("no space is left"));
  client.letGo();
  await noteOf(leader, id, "paused");
  await leader.sessions.close();
  store.journal.append = append;
  const next = new Leader({ store, clients: [client] });
  await next.sessions.resume();
  assert.equal((await next.events(id)).at(-1)!.type, "session_finished");
  await next.sessions.close();
});

Deno.test("Sessions.resume() leaves out a journal that it cannot read, names it, and goes on", async () => {
  await inTempFolder(async (folder) => {
    const first = new Leader({ store: await openSqliteStore(folder), newId: numberedIds() });
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push(await first.sessions.submit(submission));
    await first.sessions.close();
    await first.store.close();
    const [notJson, gap, , noConfig, notASession] = ids;
    const path = join(folder, "flotilla.db");
    const database = new DatabaseSync(path);
    const change = (sql: string, id: string) => database.prepare(sql).run(id);
    change("UPDATE journal SET event = '{\"type\": ' WHERE session = ?", notJson!);
    change("INSERT INTO journal (session, seq, at, event) VALUES (?, 9, 0, '{}')", gap!);
    change(
      "UPDATE journal SET event = json_remove(event, '$.config.client_training_config.dataset') " +
        "WHERE session = ?",
      noConfig!,
    );
    change("UPDATE journal SET event = 'null' WHERE session = ?", notASession!);
    database.close();

    const records: LogRecord[] = [];
    const second = new Leader({
      store: await openSqliteStore(folder),
      clients: [sumClient(1)],
      logger: createLogger((record) => records.push(record)),
    });
    await second.sessions.resume();
    assert.deepEqual((await second.sessions.list()).map(({ id }) => id), ["aaaa-3"]);
    const unreadable = second.sessions.unreadable();
    assert.deepEqual(unreadable.map(({ id }) => id), ["aaaa-1", "aaaa-2", "aaaa-4", "aaaa-5"]);
    await assert.rejects(
      second.sessions.get("aaaa-1"),
      /^UnreadableSessionError: Cannot read session aaaa-1, .* entry 1 .*flotilla\.db/,
    );
    assert.equal((await second.events("aaaa-3")).at(-1)!.type, "session_finished");
    const errors = records.filter(({ level }) => level === "error");
    const expected = [
      /^Session aaaa-1 is left out: Cannot read entry 1 of session aaaa-1 in ".*flotilla\.db" as it is not JSON/,
      /^Session aaaa-2 is left out: Cannot fold entry 9 of session aaaa-2 after \d/,
      /^Session aaaa-4 is left out: .* client_training_config\.dataset/,
      /^Session aaaa-5 is left out: Cannot read the journal of session aaaa-5 as an entry is damaged/,
    ];
    assert.equal(errors.length, expected.length);
    for (const [i, pattern] of expected.entries()) {
      assert.match(errors[i]!.message, pattern);
      assert.ok(errors[i]!.message.includes(path), "says where");
      assert.deepEqual(errors[i]!.event, "session_unreadable");
    }
    await second.sessions.close();
    await second.store.close();
  });
});

for (const hasRun of [false, true]) {
  Deno.test(`Sessions.resume() frees what no journal names, ${hasRun ? "after an" : "without any"} open run`, async () => {
    const held = new HeldClient();
    const first = new Leader({ clients: [held] });
    if (hasRun) {
      await first.sessions.submit(submission);
      await held.atWork.first("the client at work");
    }
    await first.sessions.close();
    // As a leader leaves it that dies between the storing and the journalling of an update.
    const { id } = await first.store.blobs.put(new Uint8Array(100));
    const back = new SumClient(held.id, held.name, 10, 1);
    const second = new Leader({ store: first.store, clients: [back] });
    await second.sessions.resume();
    if (hasRun) assert.ok(await first.store.blobs.has(id), "runs come first");
    for (const run of await second.sessions.list()) await second.events(run.id);
    const deadline = performance.now() + 5000;
    while (await first.store.blobs.has(id)) {
      assert.ok(performance.now() < deadline, "it stays");
      await new Promise((resolve) => setTimeout(resolve));
    }
    await second.sessions.close();
    assert.equal((await first.store.blobs.list()).length, hasRun ? 3 : 0);
  });
}

Deno.test("Sessions.resume() rejects when the store does not answer", async () => {
  const store = openMemoryStore();
  const first = new Leader({ store });
  await first.sessions.submit(submission);
  await first.sessions.close();
  const gone = new UnreachableError("Cannot reach Redis at localhost:1");
  store.journal.read = () => Promise.reject(gone);
  await assert.rejects(new Leader({ store }).sessions.resume(), gone);
});

Deno.test("Sessions pauses a run whose results cannot be saved, and saves them when it can", async () => {
  const client = new HeldClient();
  const leader = new Leader({ clients: [client] });
  const id = await leader.sessions.submit(submission);
  await client.atWork.first("training");
  leader.results.error = new FileAccessError("no space is left");
  client.letGo();
  await noteOf(leader, id, "paused");
  leader.results.error = null;
  assert.equal((await leader.events(id)).at(-1)!.type, "session_finished");
  await leader.sessions.close();
});
