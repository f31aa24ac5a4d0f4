/** Two leaders on one store: one leads, the other is refused, takes over, or ends. */
import assert from "node:assert/strict";
import { Federation, type Program } from "../fixtures/federation.ts";
import { hasMosquitto, startMosquitto } from "../fixtures/mosquitto.ts";
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
  assert.match(refused.stderr, isLed(first));
  const config = ["--config", `${federation.folder}/server_config.yaml`];
  await exported(federation);
  const imported = await federation.run(["state", "import", "empty.flotilla", ...config]);
  assert.equal(await imported.exitCode(), 2, imported.printed());
  assert.match(imported.stderr, isLed(first));
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

/** What everyone is told who wants the store of a server that lives. */
function isLed({ process: { pid } }: Program): RegExp {
  return new RegExp(`as the server of process ${pid} on .* does: its last sign of life came at 20`);
}

/** Writes the state of a store without runs to `empty.flotilla`. */
async function exported(federation: Federation): Promise<void> {
  const place = ["--state", "sqlite", "--state-dir", "empty"];
  const command = await federation.run(["state", "export", "empty.flotilla", ...place]);
  assert.equal(await command.exitCode(), 0, command.printed());
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

Deno.test({
  name: `a run goes on with the leader that takes over, to the same bytes${
    hasMosquitto() ? "" : " (skipped: mosquitto is not installed)"
  }`,
  ignore: !hasMosquitto(),
  fn: takesOverRun,
});

async function takesOverRun(): Promise<void> {
  const broker = await startMosquitto();
  try {
    await bothWays(broker.port);
  } finally {
    await broker.remove();
  }
}

async function bothWays(broker: number): Promise<void> {
  const run = async (happens: (federation: Federation, client: Program) => Promise<Program>) => {
    await using federation = await Federation.start({ broker });
    const client = await federation.startClient(1, data.part(1));
    await federation.session(CONFIG, "--detach");
    await client.says(/Training MLP on MNIST, round 1/);
    const leader = await happens(federation, client);
    await leader.says(/Session \S+ finished/, 60_000);
    return (await federation.results()).final.weights_id;
  };
  const calm = await run((federation) => Promise.resolve(federation.server));
  const disturbed = await run(async (federation, client) => {
    const { server: first } = federation;
    first.kill("SIGSTOP");
    await client.says(/Trained round 1/);
    const second = await rival(federation, []);
    await second.says(/goes on from where it was/);
    first.kill("SIGCONT");
    assert.equal(await first.exitCode(), 1, first.printed());
    return second;
  });
  assert.equal(disturbed, calm);
}
