/** Nonsense on every port of a federation, from strangers that can reach it. */
import assert from "node:assert/strict";
import { connectAsync } from "mqtt";
import { Federation } from "../fixtures/federation.ts";
import { LONG_TRAINING, makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 300);
/** Every topic of the protocol, and what may come as a payload. */
const TOPICS = ["advert_server", "advert_client", "heartbeat", "flotilla/lost"];
const PAYLOADS = ["", "{", "null", "[]", '"x"', "{}", '{"id":7,"payload":{}}', "\xff\u0000\ud7ff"];

Deno.test("nonsense on the broker, gRPC and REST ports changes nothing of a run", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  const config = runConfig({ client: { ...LONG_TRAINING, max_mini_batches: 500 } });
  const runOnce = async (meanwhile: () => Promise<void>) => {
    const session = await federation.session(config, "--json");
    await session.says(/"type":"progress"/);
    await meanwhile();
    // The nonsense came while there was something to disturb.
    assert.doesNotMatch(session.stdout, /session_finished/);
    assert.equal(await session.exitCode(), 0, session.stderr);
    return await federation.results(JSON.parse(session.stdout.split("\n", 1)[0]!).session);
  };
  const calm = await runOnce(() => Promise.resolve());
  const before = await federation.clients();
  const disturbed = await runOnce(async () => {
    const edges = [0, 1, 2, 3].map((offset) => federation.firstEdgePort + offset);
    const ports = [...edges, federation.mqttPort, federation.restPort];
    await Promise.all([...ports.map(sendNoise), publishNonsense(federation.mqttPort)]);
  });
  assert.equal(disturbed.final.weights_id, calm.final.weights_id);
  for (const { failures, replaced } of disturbed.rounds) {
    assert.deepEqual([failures, replaced], [[], []]);
  }
  const identity = (
    { name, client_id, endpoint, state }: typeof before[number],
  ) => [name, client_id, endpoint, state];
  assert.deepEqual((await federation.clients()).map(identity), before.map(identity));
});

/** Connects a few times, writes random bytes and reads what comes until the other side closes. */
async function sendNoise(port: number): Promise<void> {
  for (const size of [0, 1, 9, 4096, 65_536]) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    try {
      await connection.write(crypto.getRandomValues(new Uint8Array(size)));
      await connection.closeWrite();
    } catch {
      // It was cut off at once, which is a good answer.
    }
  }
}

async function publishNonsense(port: number): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`);
  const big = "x".repeat(1_000_000);
  for (const topic of TOPICS) {
    for (const payload of [...PAYLOADS, big]) {
      await client.publishAsync(topic, payload, { qos: 1 });
    }
  }
  await client.endAsync();
}
