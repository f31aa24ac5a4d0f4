/** The workflow on services that stand beside the leader: a real Mosquitto, a real Redis. */
import assert from "node:assert/strict";
import { Federation } from "../fixtures/federation.ts";
import { freePort } from "../fixtures/free_port.ts";
import { hasMosquitto, startMosquitto } from "../fixtures/mosquitto.ts";
import { RedisServer, redisTest } from "../fixtures/redis.ts";
import { LONG_TRAINING, makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 300);

/** A test that needs Mosquitto: skipped, its name saying so, where it is not installed. */
function mosquittoTest(name: string, body: () => Promise<void>): void {
  const ignore = !hasMosquitto();
  Deno.test(ignore ? `${name} (skipped: mosquitto is not installed)` : name, { ignore }, body);
}

/** Settings of a server whose state is in this Redis. */
function inRedis(port: number) {
  return { state: { state_location: "redis", state_hostname: "127.0.0.1", state_port: port } };
}

async function runToTheEnd(federation: Federation): Promise<void> {
  await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  const session = await federation.session(runConfig());
  assert.equal(await session.exitCode(), 0, session.printed());
  const { status, rounds } = await federation.results();
  assert.deepEqual([status, rounds.length], ["finished", 2]);
}

redisTest("flotilla server keeps a run in a real Redis and knows it after a restart", async () => {
  await using redis = await RedisServer.start();
  await using federation = await Federation.start({
    leaderData: data.leader,
    serverConfig: inRedis(redis.port),
  });
  assert.match(
    federation.server.printed(),
    new RegExp(`redis.*127\\.0\\.0\\.1:${redis.port}`, "i"),
  );
  await runToTheEnd(federation);
  // What a new server process knows of the run can only come from Redis.
  federation.server.kill("SIGTERM");
  assert.equal(await federation.server.exitCode(), 0);
  await federation.startServer();
  const ps = federation.ask("ps", "--json");
  assert.equal(await ps.exitCode(), 0);
  assert.equal(JSON.parse(ps.stdout).status, "finished");
});

Deno.test("flotilla server refuses a configured Redis that does not answer", async () => {
  const port = await freePort();
  await using federation = await Federation.prepare({ serverConfig: inRedis(port) });
  await federation.launchServer();
  assert.equal(await federation.server.exitCode(), 3);
  assert.match(federation.server.stderr, new RegExp(`Redis.*127\\.0\\.0\\.1:${port}`));
  // Neither REST nor the broker was opened before.
  assert.doesNotMatch(federation.server.printed(), /listens|broker/);
});

mosquittoTest("a run goes on while Mosquitto is away, and clients come back with it", async () => {
  const mosquitto = await startMosquitto();
  try {
    await using federation = await Federation.start({
      leaderData: data.leader,
      broker: mosquitto.port,
      serverConfig: { comm_config: { mqtt: { mqtt_heartbeat_interval_s: 1 } } },
    });
    await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
    const before = await federation.clients();
    const session = await federation.session(
      runConfig({ client: { ...LONG_TRAINING, max_mini_batches: 500 } }),
      "--json",
    );
    await session.says(/"type":"progress"/);
    await mosquitto.stop();
    assert.equal(await session.exitCode(), 0, session.printed());
    const { status, rounds } = await federation.results();
    assert.deepEqual([status, rounds.length], ["finished", 2]);
    assert.deepEqual(rounds.map(({ failures }: { failures: unknown[] }) => failures), [[], []]);
    const back = Date.now();
    await mosquitto.start();
    await federation.clientsUntil(
      "heartbeats over the new broker",
      (clients) => clients.every(({ last_heartbeat }) => Date.parse(last_heartbeat) > back),
    );
    // A leader that starts now knows nobody, so all it knows came over the new broker.
    federation.server.kill("SIGTERM");
    assert.equal(await federation.server.exitCode(), 0);
    await federation.startServer();
    await federation.clientsActive(2);
    assert.deepEqual(
      (await federation.clients()).map(({ client_id }) => client_id),
      before.map(({ client_id }) => client_id),
    );
  } finally {
    await mosquitto.remove();
  }
});
