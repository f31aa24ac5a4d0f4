import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection } from "node:net";
import { connect, type MqttClient } from "mqtt";
import { probeBroker } from "../../src/discovery/choose_broker.ts";
import { startEmbeddedBroker } from "../../src/discovery/embedded_broker.ts";
import { Collected } from "../fixtures/collected.ts";

Deno.test("startEmbeddedBroker() close() ends at once with open connections and frees the port", async () => {
  const broker = await startEmbeddedBroker("127.0.0.1", 0);
  const client = connect(`mqtt://127.0.0.1:${broker.port}`, { reconnectPeriod: 0 });
  const silent = createConnection({ host: "127.0.0.1", port: broker.port });
  await Promise.all([emitted(client, "connect"), once(silent, "connect")]);
  const ends = [emitted(client, "close"), once(silent, "close")];
  const start = performance.now();
  await broker.close();
  assert.ok(performance.now() - start < 500);
  await Promise.all(ends);
  client.end(true);
  const next = await startEmbeddedBroker("127.0.0.1", broker.port);
  await next.close();
});

Deno.test("startEmbeddedBroker() carries payloads larger than a socket's buffer, in order", async () => {
  const broker = await startEmbeddedBroker("127.0.0.1", 0);
  const url = `mqtt://127.0.0.1:${broker.port}`;
  const [sender, receiver] = [connect(url), connect(url)];
  const sizes = new Collected<number>();
  receiver.on("message", (_topic, payload) => sizes.add(payload.length));
  await receiver.subscribeAsync("bulk", { qos: 1 });
  for (const size of [1, 200_000, 2, 2_000_000, 3]) {
    await sender.publishAsync("bulk", Buffer.alloc(size), { qos: 1 });
  }
  await sizes.first("the last payload", (size) => size === 3);
  assert.deepEqual(sizes.items, [1, 200_000, 2, 2_000_000, 3]);
  sender.end(true);
  receiver.end(true);
  await broker.close();
});

Deno.test("startEmbeddedBroker() outlives a subscriber that leaves a backlog behind", async () => {
  const broker = await startEmbeddedBroker("127.0.0.1", 0);
  const url = `mqtt://127.0.0.1:${broker.port}`;
  const [filler, flooder] = [connect(url), connect(url)];
  const receiver = connect(url, { reconnectPeriod: 0 });
  await receiver.subscribeAsync("flood", { qos: 0 });
  receiver.stream.pause();
  // Fills all buffers on the way to the subscriber: whoever publishes to it now has to wait.
  for (let i = 0; i < 16; i++) filler.publish("flood", Buffer.alloc(1_000_000));
  await filler.publishAsync("flood", "");
  for (let i = 0; i < 20_000; i++) flooder.publish("flood", "");
  await flooder.publishAsync("flood", "");
  const closed = emitted(receiver, "close");
  receiver.end(true);
  receiver.stream.destroy();
  await closed;
  await flooder.publishAsync("flood", "the broker still confirms", { qos: 1 });
  filler.end(true);
  flooder.end(true);
  await broker.close();
});

Deno.test("startEmbeddedBroker() survives bytes that are not MQTT", async () => {
  const broker = await startEmbeddedBroker("127.0.0.1", 0);
  for (const bytes of [Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff), Uint8Array.of(0x10, 0)]) {
    const socket = createConnection({ host: "127.0.0.1", port: broker.port });
    socket.on("error", () => {});
    const closed = once(socket, "close");
    socket.write(bytes);
    await closed;
  }
  assert.equal(await probeBroker("127.0.0.1", broker.port), "broker");
  await broker.close();
});

function emitted(client: MqttClient, event: "connect" | "close"): Promise<unknown> {
  return new Promise((resolve) => client.once(event, resolve));
}
