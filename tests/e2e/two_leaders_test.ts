/** Two leaders on one store: one leads, the other is refused, takes over, or ends. */
import assert from "node:assert/strict";
import { Federation } from "../fixtures/federation.ts";
import { RedisServer, redisTest } from "../fixtures/redis.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(1, 300);
const CONFIG = runConfig({
  session: { min_clients: 1 },
  client: { batch_size: 1, epochs: 20, max_mini_batches: 4000 },
});

/** Arguments that make a second leader of the same store, on ports of its own. */
async function rival(federation: Federation, store: readonly string[]) {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return await federation.run([
    ...["server", "--rest-port", `${port}`],
    ...["--mqtt-broker", "localhost", "--mqtt-port", `${federation.mqttPort}`, ...store],
  ]);
}

async function takesOver(serverConfig: Record<string, unknown>): Promise<void> {
  await using federation = await Federation.start({ serverConfig });
  const { server: first } = federation;
  const refused = await rival(federation, ["--config", `${federation.folder}/server_config.yaml`]);
  assert.equal(await refused.exitCode(), 2, refused.printed());
  assert.match(
    refused.stderr,
    new RegExp(`as the server of process ${first.process.pid} on .* does: its last sign of life`),
  );
  first.kill("SIGSTOP");
  const stoppedAt = performance.now();
  const second = await rival(federation, ["--config", `${federation.folder}/server_config.yaml`]);
  await second.says(/State is kept in/);
  const waited = performance.now() - stoppedAt;
  assert.ok(waited > 4000 && waited < 10_000, `it took over after ${waited} ms`);
  first.kill("SIGCONT");
  assert.equal(await first.exitCode(), 1, first.printed());
  assert.match(
    first.stderr,
    new RegExp(`the server of process ${second.process.pid} on .* has taken over`),
  );
}

Deno.test("a second leader on a SQLite store is refused, and takes over from a paused one", async () => {
  await takesOver({});
});

redisTest(
  "a second leader on a Redis store is refused, and takes over from a paused one",
  async () => {
    await using redis = await RedisServer.start();
    await takesOver({
      state: { state_location: "redis", state_hostname: "127.0.0.1", state_port: redis.port },
    });
  },
);

Deno.test("a run of a paused leader that was taken over goes on with the next leader alone", async () => {
  const calm = await (async () => {
    await using federation = await Federation.start();
    await federation.startClient(1, data.part(1));
    const session = await federation.session(CONFIG);
    assert.equal(await session.exitCode(), 0, session.printed());
    return (await federation.results()).final.weights_id;
  })();
  await using federation = await Federation.start();
  const client = await federation.startClient(1, data.part(1));
  await federation.session(CONFIG, "--detach");
  await client.says(/Training MLP on MNIST, round 1/);
  const { server: first } = federation;
  first.kill("SIGSTOP");
  await client.says(/Trained round 1/);
  const second = await rival(federation, []);
  await second.says(/goes on from where it was/);
  first.kill("SIGCONT");
  assert.equal(await first.exitCode(), 1, first.printed());
  // The broker lived in the first leader; the next brings its own where the old one was.
  second.kill("SIGTERM");
  await second.exitCode();
  await federation.startServer();
  await federation.server.says(/Session .* finished/, 60_000);
  assert.equal((await federation.results()).final.weights_id, calm);
});
