/** Redis lost or restarted in the midst of a run. */
import assert from "node:assert/strict";
import { Federation, type Program } from "../fixtures/federation.ts";
import { RedisServer, redisTest } from "../fixtures/redis.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(1, 300);
const CONFIG = runConfig({
  session: { min_clients: 1 },
  client: { batch_size: 1, epochs: 20, max_mini_batches: 3000 },
});

async function withRun(
  redis: RedisServer,
  body: (federation: Federation, session: Program) => Promise<void>,
): Promise<void> {
  await using federation = await Federation.start({
    serverConfig: {
      state: { state_location: "redis", state_hostname: "127.0.0.1", state_port: redis.port },
    },
  });
  await federation.startClient(1, data.part(1));
  const session = await federation.session(CONFIG, "--json");
  await session.says(/"type":"progress"/);
  await body(federation, session);
}

redisTest("a run pauses while Redis is away, says so, and goes on to the same bytes", async () => {
  await using redis = await RedisServer.start();
  const ids: string[] = [];
  await withRun(redis, async (federation, session) => {
    await redis.stop();
    await session.says(/"type":"paused","reason":"Cannot reach Redis at 127.0.0.1:/);
    await federation.server.says(/Session .* is paused: Cannot reach Redis/);
    await redis.restart();
    await session.says(/"type":"resumed"/);
    assert.equal(await session.exitCode(), 0, session.printed());
    ids.push((await federation.results()).final.weights_id);
  });
  await withRun(redis, async (federation, session) => {
    assert.equal(await session.exitCode(), 0, session.printed());
    ids.push(
      (await federation.results(/"session":"([^"]+)"/.exec(session.stdout)?.[1])).final.weights_id,
    );
  });
  assert.equal(ids[0], ids[1]);
});

redisTest("a leader whose Redis comes back empty says so and ends", async () => {
  await using redis = await RedisServer.start("--appendonly", "no");
  await withRun(redis, async ({ server }, session) => {
    await redis.restart();
    assert.equal(await server.exitCode(), 1, server.printed());
    assert.match(server.stderr, /its data are gone: it was emptied, or restarted without keeping/);
    session.kill("SIGKILL");
  });
});
