import assert from "node:assert/strict";
import { openConnection } from "../../src/discovery/mqtt_connection.ts";
import { createLogger, type LogRecord } from "../../src/log/log.ts";
import { Collected } from "../fixtures/collected.ts";
import { freePort } from "../fixtures/free_port.ts";
import { tcpServer } from "../fixtures/tcp_server.ts";
import { brokenStream } from "./mqtt_world.ts";

const CONNACK = Uint8Array.of(0x20, 2, 0, 0);
const NOT_AUTHORISED = Uint8Array.of(0x20, 2, 0, 5);
const QUIET = {
  subscriptions: { t: { qos: 1 } },
  onMessage() {},
  onReady() {},
  onBroken() {},
} as const;

Deno.test("openConnection() pauses 100, 200 and 400 ms between its first attempts", async () => {
  const dials = new Collected<number>();
  const { logger } = logged();
  const dial = () => {
    dials.add(performance.now());
    return brokenStream();
  };
  const connection = await openConnection({
    ...QUIET,
    host: "nowhere",
    port: 1,
    mqttId: "a",
    logger,
    dial,
  });
  await dials.first("the fourth attempt", () => dials.length === 4);
  await connection.close();
  const [first, , , fourth] = dials.items;
  assert.ok(fourth! - first! >= 695, `${fourth! - first!} ms`);
  assert.ok(fourth! - first! < 3_000, `${fourth! - first!} ms`);
});

Deno.test("openConnection() names the address and the reason once when nobody listens", async () => {
  const { logger, records } = logged();
  const port = await freePort();
  const connection = await openConnection({
    ...QUIET,
    host: "localhost",
    port,
    mqttId: "a",
    logger,
  });
  const { message } = await records.first("the warning");
  assert.match(
    message,
    new RegExp(
      `^Cannot reach the MQTT broker on localhost:${port} \\(.*ECONNREFUSED.*\\): trying again`,
    ),
  );
  await connection.close();
  assert.equal(records.length, 1);
});

Deno.test("openConnection() tells that a broker refuses, and tries again", async () => {
  const attempts = new Collected<number>();
  const server = await tcpServer((socket) => {
    attempts.add(1);
    socket.end(NOT_AUTHORISED);
  });
  const { logger, records } = logged();
  const connection = await openConnection({
    ...QUIET,
    host: "127.0.0.1",
    port: server.port,
    mqttId: "a",
    logger,
  });
  await attempts.first("the second attempt", () => attempts.length === 2);
  assert.match(records.items[0]!.message, /Not authorized/);
  await connection.close();
  await server.close();
  assert.equal(records.length, 1);
});

Deno.test("openConnection() close() gives up on a broker that hangs after a second", async () => {
  const connected = new Collected<boolean>();
  const server = await tcpServer((socket) => {
    socket.write(CONNACK, () => connected.add(true));
  });
  const connection = await openConnection({
    ...QUIET,
    host: "127.0.0.1",
    port: server.port,
    mqttId: "a",
    logger: logged().logger,
  });
  await connected.first("the connection");
  const start = performance.now();
  await connection.close({ topic: "t", payload: "goodbye", qos: 1 });
  assert.ok(performance.now() - start < 3_000);
  await server.close();
});

function logged() {
  const records = new Collected<LogRecord>();
  return { logger: createLogger(records.add), records };
}
