import assert from "node:assert/strict";
import { connect } from "mqtt";
import type { ClientMessage } from "../../src/discovery/discovery.ts";
import {
  advertisingLeader,
  answeringClient,
  discoverySuite,
  isAdvertOf,
  isLoss,
} from "../contract/discovery_suite.ts";
import { clientAdvert, leaderAdvert } from "../fixtures/adverts.ts";
import { Collected } from "../fixtures/collected.ts";
import { hasMosquitto } from "../fixtures/mosquitto.ts";
import { BROKERS, type MqttWorld, mqttWorld } from "./mqtt_world.ts";

const A = "0a0a0a0a-0000-4000-8000-000000000001";
const B = "0b0b0b0b-0000-4000-8000-000000000002";
const TWO_MIB = 2 * 1024 * 1024;

for (const [variant, startBroker] of Object.entries(BROKERS)) {
  const ignore = variant.includes("Mosquitto") && !hasMosquitto();
  const makeWorld = async () => mqttWorld(await startBroker());
  discoverySuite(variant, makeWorld, { ignore });

  const test = (sentence: string, body: (world: MqttWorld) => Promise<void>) =>
    Deno.test({
      name: `${variant} discovery ${sentence}`,
      ignore,
      async fn() {
        const world = await makeWorld();
        try {
          await body(world);
        } finally {
          await world.close();
        }
      },
    });

  test("comes back by itself after the broker restarted", async (world) => {
    const { heard, connections } = await advertisingLeader(world);
    const { client } = await answeringClient(world, A);
    await heard.first("A's answer", isAdvertOf(A));
    await world.broker.stop();
    await connections.first("the loss of the broker", (connected) => !connected);
    const from = heard.length;
    await world.broker.start();
    await heard.first("A's answer to the advert published anew", isAdvertOf(A), { from });
    client.discovery.heartbeat(7);
    await heard.first("a heartbeat on the new subscription", ({ kind }) => kind === "heartbeat");
    assert.deepEqual(connections.items, [true, false, true]);
    assert.deepEqual(
      world.leaderLog.items.map(({ event }) => event),
      ["broker_connected", "broker_lost", "broker_connected"],
    );
  });

  test("starts without a broker, says so once, and begins when it is there", async (world) => {
    await world.broker.stop();
    const leader = await world.leader();
    const heard = new Collected<ClientMessage>();
    leader.onMessage(heard.add);
    leader.advertise(leaderAdvert());
    await answeringClient(world, A);
    await world.leaderLog.first("the warning", ({ event }) => event === "broker_unreachable");
    await world.broker.start();
    await heard.first("A's answer", isAdvertOf(A));
    assert.deepEqual(
      world.leaderLog.items.map(({ event }) => event),
      ["broker_unreachable", "broker_connected"],
    );
  });

  test("brings a client back whose connection broke for a moment", async (world) => {
    const { heard } = await advertisingLeader(world);
    const { client } = await answeringClient(world, A);
    await heard.first("A's answer", isAdvertOf(A));
    const from = heard.length;
    client.interrupt();
    await heard.first("the loss of A", isLoss, { from, deadlineMs: 1000 });
    await heard.first("A's return", isAdvertOf(A), { from });
    assert.deepEqual(heard.items.map(({ kind }) => kind), ["advert", "lost", "advert"]);
  });

  test("tells within a second that a client's process was killed", async (world) => {
    const { heard } = await advertisingLeader(world);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", script("client_process.ts"), String(world.broker.port), A],
      stdin: "null",
    }).spawn();
    try {
      await heard.first("the child's answer", isAdvertOf(A), { deadlineMs: 20_000 });
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
    await heard.first("the loss of the child", isLoss, { deadlineMs: 1000 });
  });

  test("does not tell a later leader of a client's retained advert", async (world) => {
    const { broker } = world;
    const intruder = connect(`mqtt://127.0.0.1:${broker.port}`);
    await intruder.publishAsync("advert_client", original(B), { qos: 1, retain: true });
    await intruder.endAsync();
    const { heard } = await advertisingLeader(world);
    await answeringClient(world, A);
    await heard.first("A's answer", isAdvertOf(A));
    assert.deepEqual(heard.items.filter(isAdvertOf(B)), []);
    await world.leaderLog.first("the refusal", ({ fields }) => fields["reason"] === "retained");
  });

  test("drops malformed traffic and goes on", async (world) => {
    const { leader, heard } = await advertisingLeader(world);
    const { adverts } = await answeringClient(world, A);
    await heard.first("A's answer", isAdvertOf(A));
    const intruder = connect(`mqtt://127.0.0.1:${world.broker.port}`);
    const from = heard.length;
    for (const topic of ["advert_client", "heartbeat", "flotilla/lost", "advert_server"]) {
      for (const payload of MALFORMED) await intruder.publishAsync(topic, payload, { qos: 1 });
    }
    await intruder.publishAsync("advert_client", original(B), { qos: 1, retain: true });
    await intruder.endAsync();
    const count = adverts.length;
    leader.advertise(leaderAdvert());
    await heard.first("A's answer to another advert", isAdvertOf(A), { from });
    assert.equal(adverts.length, count + 1);
    assert.deepEqual(
      heard.items.slice(from).filter((message) => !isAdvertOf(A)(message)),
      [{ kind: "advert", client: B, advert: JSON.parse(original(B))[B].payload }],
    );
    const told = world.leaderLog.items.filter(({ event }) => event === "message_refused")
      .map(({ fields }) => `${fields["topic"]}: ${fields["reason"]}`);
    assert.equal(new Set(told).size, told.length);
    assert.ok(told.includes("heartbeat: more than 1048576 bytes"), told.join("\n"));
  });
}

/** A valid advert as the original's clients send it: without an asynchronous endpoint. */
function original(client: string): string {
  const { grpc_async_ep: _, ...advert } = clientAdvert({ name: "workstation_2" });
  return JSON.stringify({ [client]: { payload: advert } });
}

const MALFORMED: readonly (string | Buffer)[] = [
  "",
  Buffer.from([0xff, 0xfe, 0x00, 0x80]),
  Buffer.from([0xff, 0xfe, 0x00, 0x81]),
  "{",
  "null",
  "[]",
  "{}",
  '"text"',
  '{"id": 5, "timestamp": "soon"}',
  `{"${A}": {"payload": {}}}`,
  `{"${A}": null}`,
  "[".repeat(100_000),
  Buffer.alloc(TWO_MIB, "a"),
  JSON.stringify({ id: A, timestamp: 1, padding: "a".repeat(TWO_MIB) }),
];

function script(name: string): string {
  return new URL(name, import.meta.url).pathname;
}
