/** Runs that are stopped, continued, forked and moved, by real processes: the same bytes come out. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Federation, type FederationOptions } from "../fixtures/federation.ts";
import { RedisServer, redisTest } from "../fixtures/redis.ts";
import { LONG_TRAINING, makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 300);

const ROUNDS = 4;
/** Rounds that last about a second, so that a stop hits the midst of one. */
const config = runConfig({
  session: { checkpoint_interval: 2, keep_rounds: null },
  server: { num_training_rounds: ROUNDS },
  client: { ...LONG_TRAINING, max_mini_batches: 300 },
});

/** The final weights of the run that nothing disturbs. */
let calm: Promise<string> | null = null;

function undisturbed(): Promise<string> {
  return calm ??= (async () => {
    await using federation = await started();
    const session = await federation.session(config);
    assert.equal(await session.exitCode(), 0, session.printed());
    return (await federation.results()).final.weights_id;
  })();
}

async function started(options: FederationOptions = {}): Promise<Federation> {
  const federation = await Federation.start({ leaderData: data.leader, ...options });
  await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  return federation;
}

/** Starts the run and stops it while clients train in a round. @returns its id */
async function stopIn(round: number, federation: Federation): Promise<string> {
  const session = await federation.session(config, "--json");
  await session.says(new RegExp(`"type":"progress","round":${round}`));
  const id = JSON.parse(session.stdout.split("\n")[0]!).session as string;
  // Not by the command, whose start would take longer than the round.
  const { status } = await federation.api(`/api/v1/sessions/${id}/stop`, { method: "POST" });
  assert.equal(status, 200);
  assert.equal(await session.exitCode(), 1, session.printed());
  return id;
}

async function succeeds(federation: Federation, ...args: string[]): Promise<string> {
  const program = federation.ask(...args);
  assert.equal(await program.exitCode(), 0, program.printed());
  return program.stdout;
}

async function fails(
  code: number,
  message: RegExp,
  federation: Federation,
  ...args: string[]
): Promise<void> {
  const program = federation.ask(...args);
  assert.equal(await program.exitCode(), code, program.printed());
  assert.match(program.stderr, message);
}

Deno.test("flotilla session --restore after a stop gives the undisturbed run's model, and so does a fork of it", async () => {
  await using federation = await started();
  const id = await stopIn(3, federation);
  await succeeds(federation, "session", "--restore", "--session-id", id.slice(0, 8));
  const { final, status, rounds } = await federation.results(id);
  assert.deepEqual([status, rounds.length], ["finished", ROUNDS]);
  assert.equal(final.weights_id, await undisturbed());
  await fails(2, /has finished/, federation, "session", "--restore", "--session-id", id);

  const printed = await succeeds(federation, "session", "--from", id, "--round", "2");
  const fork = /^session (\S+)$/m.exec(printed)![1]!;
  const forked = await federation.results(fork);
  assert.equal(forked.final.weights_id, final.weights_id);
  assert.deepEqual(forked.parent, { session_id: id, round: 2 });
  assert.match(await succeeds(federation, "ps"), new RegExp(`${fork}.*${id.slice(0, 8)} round 2`));

  const other = await succeeds(
    federation,
    ...["session", "--from", id, "--round", "2"],
    ...["--set", "client_training_config.learning_rate=0.01"],
  );
  const changed = await federation.results(/^session (\S+)$/m.exec(other)![1]!);
  assert.equal(changed.rounds[1].weights_id, rounds[1].weights_id);
  assert.notEqual(changed.final.weights_id, final.weights_id);
});

Deno.test("flotilla session --restore --file goes on from a checkpoint, also on a leader that never knew the run", async () => {
  await using federation = await started();
  const id = await stopIn(3, federation);
  const file = join(federation.folder, "checkpoint", `${id}_2.flotilla`);
  const inspect = federation.run(["checkpoint", "inspect", file, "--json"]);
  assert.equal(await inspect.exitCode(), 0, inspect.printed());
  const { session, round, rounds_total, clients, validation } = JSON.parse(inspect.stdout);
  assert.deepEqual([session, round, rounds_total], [id, 2, ROUNDS]);
  assert.deepEqual(clients, ["workstation_1", "workstation_2"]);
  // It is written before its own round is evaluated; the one before may still be under way.
  if (validation !== null) assert.equal(validation.round, 1);

  federation.server.kill("SIGKILL");
  await federation.server.ended;
  await Deno.remove(join(federation.folder, "state"), { recursive: true });
  await federation.startServer();
  await federation.clientsActive(2);
  await fails(2, /Cannot find session/, federation, "session", "--restore", "--session-id", id);
  await succeeds(federation, "session", "--restore", "--file", "--session-id", id);
  assert.equal((await federation.results(id)).final.weights_id, await undisturbed());
});

Deno.test("flotilla session --restore names the clients that are missing, and --revive goes on without them", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  const [, second] = await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  const id = await stopIn(2, federation);
  second!.kill("SIGKILL");
  await federation.clientsUntil("workstation_2 lost", ([, two]) => two?.state === "lost");
  await fails(
    2,
    /clients of its last round are not there: workstation_2.*--revive/s,
    federation,
    ...["session", "--restore", "--session-id", id],
  );
  // Two clients are what the config asks for, so a third must come in the second one's place.
  await federation.startClient(3, data.part(2));
  await succeeds(federation, "session", "--revive", "--session-id", id);
  const { status, rounds, clients } = await federation.results(id);
  assert.deepEqual([status, rounds.length], ["finished", ROUNDS]);
  const names = rounds.map(({ selected }: { selected: string[] }) =>
    selected.map((client) => clients[client])
  );
  assert.deepEqual(names[0], ["workstation_1", "workstation_2"]);
  assert.deepEqual(names[1], ["workstation_1", "workstation_3"]);
});

redisTest(
  "flotilla state export from SQLite and import into Redis move a run that then gives the same model",
  async () => {
    await using redis = await RedisServer.start();
    const state = { state_location: "redis", state_hostname: "127.0.0.1", state_port: redis.port };
    await using federation = await started();
    const session = await federation.session(config, "--json");
    await session.says(/"type":"progress","round":3/);
    const id = JSON.parse(session.stdout.split("\n")[0]!).session as string;
    federation.server.kill("SIGKILL");
    await federation.server.ended;

    const move = async (...args: string[]) => {
      const program = federation.run(["state", ...args]);
      assert.equal(await program.exitCode(), 0, program.printed());
      return program.stdout;
    };
    const place = [
      "--state",
      "redis",
      "--state-host",
      "127.0.0.1",
      "--state-port",
      `${redis.port}`,
    ];
    assert.match(
      await move("export", "all.flotilla", "--state", "sqlite", "--state-dir", "state"),
      /^exported 1 runs/,
    );
    assert.match(await move("import", "all.flotilla", ...place), /^imported 1 runs/);
    const twice = federation.run(["state", "import", "all.flotilla", ...place]);
    assert.equal(await twice.exitCode(), 2);
    assert.match(twice.stderr, /1 sessions are there already/);

    Object.assign(federation.options, { serverConfig: { state } });
    await federation.startServer();
    assert.equal(await session.exitCode(), 0, session.printed());
    assert.equal((await federation.results(id)).final.weights_id, await undisturbed());
    assert.match(await succeeds(federation, "gc", "--dry-run"), /would free .* stay/);
  },
);
