/** The commands around a run, on one federation whose runs take as long as a test needs. */
import assert from "node:assert/strict";
import { Federation } from "../fixtures/federation.ts";
import { LONG_TRAINING, makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 300);

/** A federation of two clients, and shorthands for its commands. */
async function twoClients() {
  const federation = await Federation.start({ leaderData: data.leader });
  await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  await federation.clientsActive(2);
  const flotilla = async (...args: string[]) => {
    const program = federation.ask(...args);
    const code = await program.exitCode();
    return { code, stdout: program.stdout, stderr: program.stderr };
  };
  const detached = async (config: Record<string, unknown>) => {
    const session = await federation.session(config, "--detach");
    assert.equal(await session.exitCode(), 0, session.printed());
    return /^session (\S+)$/m.exec(session.stdout)![1]!;
  };
  return { federation, flotilla, detached };
}

const long = runConfig({ client: LONG_TRAINING });
const short = runConfig({ server: { num_training_rounds: 1 } });

Deno.test("ps, logs, stop and clients show and end runs, which queue in order", async () => {
  const { federation, flotilla, detached } = await twoClients();
  await using _ = federation;
  const first = await detached(long);
  const second = await detached(short);
  const both = (await flotilla("ps", "--json")).stdout.trim().split("\n").map((l) => JSON.parse(l));
  assert.deepEqual(both.map(({ session_id }) => session_id), [first, second]);
  assert.equal(both[1].status, "queued");
  assert.match((await flotilla("ps")).stdout, new RegExp(`${first}[^\\n]*(running|queued)`));

  const stopped = await flotilla("stop", first.slice(0, 8));
  assert.equal(stopped.code, 0, stopped.stderr);
  const followed = await flotilla("logs", second, "--follow");
  assert.equal(followed.code, 0, followed.stderr);
  assert.match(followed.stdout, /round 1\/1 finished/);
  const told = await flotilla("logs", first);
  assert.match(told.stdout + told.stderr, /stopped/);

  const rows = (await flotilla("clients", "--json")).stdout.trim().split("\n").map((l) =>
    JSON.parse(l)
  );
  assert.deepEqual(rows.map(({ name, state }) => [name, state]), [
    ["workstation_1", "active"],
    ["workstation_2", "active"],
  ]);
  assert.deepEqual(rows[0].datasets, { MNIST: 300 });
  assert.match(rows[0].models.MLP, /^[0-9a-f]{64}$/);
  assert.match((await flotilla("clients")).stdout, /workstation_2/);
  const unknown = await flotilla("stop", "nonsense");
  assert.equal(unknown.code, 2, unknown.stderr);
  assert.match(unknown.stderr, /nonsense/);
});

Deno.test("Ctrl-C detaches from a run that goes on, and ends server and clients cleanly", async () => {
  const { federation, flotilla } = await twoClients();
  await using _ = federation;
  const session = await federation.session(long);
  await session.says(/round 1\/2 started/);
  session.kill("SIGINT");
  assert.equal(await session.exitCode(), 130, session.printed());
  const id = /^session (\S+)$/m.exec(session.stdout)![1]!;
  assert.match(session.stderr, new RegExp(`flotilla logs ${id} --follow`));
  const [run] = (await flotilla("ps", "--json")).stdout.trim().split("\n").map((l) =>
    JSON.parse(l)
  );
  assert.equal(run.status, "running");

  const client = await federation.startClient(3, data.part(1));
  client.kill("SIGINT");
  assert.equal(await client.exitCode(), 0, client.printed());
  federation.server.kill("SIGINT");
  assert.equal(await federation.server.exitCode(), 0, federation.server.printed());
});

Deno.test("a waiting flotilla session ends with code 1 when another user stops the run", async () => {
  const { federation, flotilla, detached } = await twoClients();
  await using _ = federation;
  const waiting = await federation.session(long);
  await waiting.says(/round 1\/2 started/);
  const id = /^session (\S+)$/m.exec(waiting.stdout)![1]!;
  const following = federation.ask("logs", id, "--follow");
  await following.says(/round 1\/2 started/);
  const queued = await detached(short);
  const stopped = await flotilla("stop", id.slice(0, 8));
  assert.equal(stopped.code, 0, stopped.stderr);
  assert.equal(stopped.stdout, `session ${id} is stopped after 0 of 2 rounds\n`);
  for (const program of [waiting, following]) {
    assert.equal(await program.exitCode(), 1, program.printed());
    assert.match(program.stderr, new RegExp(`^error: Session ${id} was stopped: .*user`));
  }
  const next = await flotilla("logs", queued, "--follow");
  assert.equal(next.code, 0, next.stderr);
  const list = (await flotilla("ps")).stdout;
  assert.match(list, new RegExp(`^${id} +stopped +0/2 `, "m"));
  assert.match(list, new RegExp(`^${queued} +finished +1/1 `, "m"));
});

Deno.test("flotilla session ends at once at a second Ctrl-C, and the run goes on", async () => {
  const { federation, flotilla } = await twoClients();
  await using _ = federation;
  const session = await federation.session(long);
  await session.says(/round 1\/2 started/);
  const id = /^session (\S+)$/m.exec(session.stdout)![1]!;
  session.kill("SIGINT");
  session.kill("SIGINT");
  assert.equal(await session.exitCode(5000), 130, session.printed());
  assert.match((await flotilla("ps")).stdout, new RegExp(`^${id} +running`, "m"));
});

Deno.test("POST /execute_command answers as the original does, and 500 for a failed run", async () => {
  const { federation, flotilla, detached } = await twoClients();
  await using _ = federation;
  const post = (config: Record<string, unknown>, more: Record<string, unknown> = {}) =>
    federation.api("/execute_command", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        session_id: "mine",
        federated_learning_config: config,
        restore: false,
        revive: false,
        file: false,
        ...more,
      }),
    });
  const running = await detached(long);
  const refused = await post(short);
  assert.equal(refused.status, 400);
  assert.deepEqual((refused.body as { message: string }).message, "A session is already running");
  assert.equal((await flotilla("stop", running)).code, 0);
  const original = { ...short.client_training_config, model_class: "MLP_class" };
  const finished = await post({ ...short, client_training_config: original });
  assert.equal(finished.status, 200);
  assert.equal((finished.body as { message: string }).message, "Session mine finished");
  assert.match(
    federation.server.printed(),
    /Note: request body client_training_config\.model_class has no effect here: model_id names/,
  );
  const failing = runConfig({ session: { min_clients: 9, wait_for_clients_s: 0.1 } });
  const failed = await post(failing);
  assert.equal(failed.status, 500);
  assert.match(
    (failed.body as { message: string }).message,
    /^Session mine failed: .*min_clients is 9/,
  );
});
