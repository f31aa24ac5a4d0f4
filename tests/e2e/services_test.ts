/** The workflow on real services: Mosquitto as broker, Redis as store. */
import assert from "node:assert/strict";
import { hasMosquitto, startMosquitto } from "../fixtures/mosquitto.ts";
import { freePort } from "../fixtures/free_port.ts";
import { Federation } from "../fixtures/federation.ts";
import { redisBinary, RedisServer } from "../fixtures/redis.ts";
import { LONG_TRAINING, makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 300);
const missing = [
  ...(hasMosquitto() ? [] : ["mosquitto"]),
  ...(redisBinary === null ? ["redis-server"] : []),
];
const skipped = missing.length === 0 ? "" : ` (skipped: ${missing.join(" and ")} not installed)`;

function redisState(port: number) {
  return { state: { state_location: "redis", state_hostname: "localhost", state_port: port } };
}

Deno.test(
  { name: `a run uses Mosquitto and Redis${skipped}`, ignore: missing.length > 0 },
  async () => {
    const mosquitto = await startMosquitto();
    try {
      await using redis = await RedisServer.start();
      await using federation = await Federation.start({
        leaderData: data.leader,
        broker: mosquitto.port,
        serverConfig: redisState(redis.port),
      });
      assert.match(federation.server.printed(), /State is kept in redis/i);
      await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
      await federation.clientsActive(2);
      const session = await federation.session(runConfig());
      assert.equal(await session.exitCode(), 0, session.printed());
      assert.equal((await federation.results()).status, "finished");
    } finally {
      await mosquitto.remove();
    }
  },
);

Deno.test(
  {
    name: `a broker that stops in mid-run does not stop the run${skipped}`,
    ignore: !hasMosquitto(),
  },
  async () => {
    const mosquitto = await startMosquitto();
    try {
      await using federation = await Federation.start({
        leaderData: data.leader,
        broker: mosquitto.port,
      });
      await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
      await federation.clientsActive(2);
      const session = await federation.session(
        runConfig({ server: { num_training_rounds: 3 }, client: { epochs: 20 } }),
      );
      await session.says(/round 1\/3 finished/);
      await mosquitto.stop();
      assert.equal(await session.exitCode(), 0, session.printed());
      const { rounds } = await federation.results();
      assert.deepEqual(
        rounds.map(({ updates }: { updates: unknown[] }) => updates.length),
        [2, 2, 2],
      );
      await mosquitto.start();
      await federation.clientsActive(2);
      const again = await federation.session(runConfig());
      assert.equal(await again.exitCode(), 0, again.printed());
    } finally {
      await mosquitto.remove();
    }
  },
);

Deno.test("flotilla server refuses to start without the Redis that it is told to use", async () => {
  const port = await freePort();
  await using federation = await Federation.start();
  const config = `${federation.folder}/redis.yaml`;
  await Deno.writeTextFile(config, JSON.stringify(redisState(port)));
  const server = federation.run(["server", "--config", config, "--rest-port", "0"]);
  assert.equal(await server.exitCode(), 3, server.printed());
  assert.match(server.stderr, new RegExp(`error: .*localhost:${port}`));
});

Deno.test("a client that starts before any broker joins when the leader appears", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  federation.server.kill("SIGTERM");
  await federation.server.exitCode();
  const early = federation.startClient(1, data.part(1));
  await federation.startServer();
  await early;
  await federation.clientsActive(1);
});

Deno.test("a late joiner makes the number that a session waits for", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  await federation.startClient(1, data.part(1));
  await federation.clientsActive(1);
  const session = await federation.session(runConfig());
  await session.says(/waiting for clients/i);
  await federation.startClient(2, data.part(2));
  assert.equal(await session.exitCode(), 0, session.printed());
});

Deno.test("a session that waits in vain fails and says how many clients came", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  await federation.startClient(1, data.part(1));
  const session = await federation.session(runConfig({ session: { wait_for_clients_s: 0.2 } }));
  assert.equal(await session.exitCode(), 1, session.printed());
  assert.match(session.printed(), /min_clients is 2: 1 came within 0\.2 s/);
});

Deno.test("noise on the broker and on the ports of a client disturbs no run", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  await federation.clientsActive(2);
  const session = await federation.session(runConfig({ client: { epochs: 10 } }));
  await session.says(/round 1\/2 started/);
  const { connect } = await import("mqtt");
  const stranger = connect(`mqtt://localhost:${federation.mqttPort}`);
  await new Promise((resolve) => stranger.once("connect", resolve));
  for (const topic of ["advert_server", "advert_client", "heartbeat", "flotilla/lost"]) {
    for (const payload of ["", "{", "null", '{"id":5}', "[[[[", "\u0000\u0001"]) {
      stranger.publish(topic, payload);
    }
    stranger.publish(topic, new Uint8Array(100_000) as never);
  }
  for (const offset of [0, 1, 2, 3]) {
    using socket = await Deno.connect({ port: federation.firstEdgePort + offset });
    await socket.write(crypto.getRandomValues(new Uint8Array(4096)));
  }
  await new Promise<void>((resolve) => stranger.end(false, () => resolve()));
  assert.equal(await session.exitCode(), 0, session.printed());
  const { rounds } = await federation.results();
  assert.deepEqual(
    rounds.map(({ updates }: { updates: unknown[] }) => updates.length),
    [2, 2],
  );
});

Deno.test("a client killed in mid-training is a failure with a reason; it comes back as itself", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  const [, victim] = await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  const before = await federation.clientsUntil("two clients", (rows) => rows.length === 2);
  const session = await federation.session(
    runConfig({
      server: { num_training_rounds: 1 },
      client: { ...LONG_TRAINING, max_mini_batches: 3000 },
    }),
  );
  await federation.clientsUntil(
    "both to train",
    (rows) => rows.every(({ state }) => state === "training"),
  );
  victim!.kill("SIGKILL");
  const killed = performance.now();
  await federation.clientsUntil(
    "workstation_2 to be lost",
    (rows) => rows.some(({ name, state }) => name === "workstation_2" && state === "lost"),
  );
  const noticedMs = performance.now() - killed;
  assert.ok(noticedMs < 5000, `noticed after ${noticedMs} ms`);
  assert.equal(await session.exitCode(120_000), 0, session.printed());
  const [round] = (await federation.results()).rounds;
  assert.equal(round.updates.length, 1);
  assert.equal(round.updates[0].name, "workstation_1");
  assert.equal(round.failures.length, 1);
  assert.ok(round.failures[0].reason.length > 10, round.failures[0].reason);
  await federation.startClient(2, data.part(2));
  const after = await federation.clientsUntil(
    "workstation_2 to be back",
    (rows) => rows.every(({ state }) => state === "active"),
  );
  assert.deepEqual(
    after.map(({ client_id }) => client_id),
    before.map(({ client_id }) => client_id),
  );
});

Deno.test("a leader killed in mid-run goes on by itself and ends with the same model", async () => {
  const config = runConfig({ server: { num_training_rounds: 4 }, client: { epochs: 8 } });
  const run = async (disturb: (federation: Federation) => Promise<void>) => {
    await using federation = await Federation.start({ leaderData: data.leader });
    await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
    await federation.clientsActive(2);
    const session = await federation.session(config);
    await session.says(/round 2\/4 started/);
    await disturb(federation);
    assert.equal(await session.exitCode(120_000), 0, session.printed());
    return (await federation.results()).final.weights_id;
  };
  const undisturbed = await run(() => Promise.resolve());
  const killed = await run(async (federation) => {
    federation.server.kill("SIGKILL");
    await federation.server.exitCode();
    await federation.startServer();
  });
  assert.equal(killed, undisturbed);
});
