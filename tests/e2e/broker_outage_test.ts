/** A broker that goes away and comes back while a run is under way. */
import assert from "node:assert/strict";
import { Federation } from "../fixtures/federation.ts";
import { hasMosquitto, startMosquitto } from "../fixtures/mosquitto.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(3, 300);
const CONFIG = runConfig({
  session: { min_updates: 2, max_failed_rounds: 0 },
  server: { num_training_rounds: 3 },
  client: { batch_size: 1, epochs: 20, max_mini_batches: 4000 },
});
/** Clients that are not heard of for so long would be dropped. */
const SILENCE = { mqtt_heartbeat_interval_s: 1, max_heartbeat_miss_threshold: 1 };

Deno.test({
  name:
    `rounds go on without their broker, no client is dropped, and discovery comes back by itself${
      hasMosquitto() ? "" : " (skipped: mosquitto is not installed)"
    }`,
  ignore: !hasMosquitto(),
  fn: withoutBroker,
});

async function withoutBroker(): Promise<void> {
  const broker = await startMosquitto();
  try {
    await using federation = await Federation.start({
      broker: broker.port,
      serverConfig: { comm_config: { mqtt: SILENCE } },
    });
    const [first] = await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
    const session = await federation.session(CONFIG, "--json");
    await first!.says(/Training MLP on MNIST, round 1\n/);
    await broker.stop();
    const third = await federation.launchClient(3, data.part(3));
    await session.says(/"type":"session_finished"/, 60_000);
    assert.equal(await session.exitCode(), 0, session.printed());
    const { rounds } = await federation.results();
    for (const { selected, updates, failures } of rounds) {
      assert.deepEqual([selected.length, updates.length, failures], [2, 2, []]);
    }
    // Longer than the silence that counts, also between rounds.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const names = (await federation.clients()).map(({ name, state }) => `${name} ${state}`);
    assert.deepEqual(names, ["workstation_1 active", "workstation_2 active"]);
    assert.doesNotMatch(federation.server.stderr, /inactive|is gone/);

    await broker.start();
    await third.says(/Found the leader/);
    await federation.clientsActive(3);
    const again = await federation.session(runConfig({ session: { min_clients: 3 } }));
    assert.equal(await again.exitCode(), 0, again.printed());
  } finally {
    await broker.remove();
  }
}
