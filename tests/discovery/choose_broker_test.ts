import assert from "node:assert/strict";
import { PortTakenError, UnreachableError } from "../../src/core/errors.ts";
import { chooseBroker, probeBroker } from "../../src/discovery/choose_broker.ts";
import { startEmbeddedBroker } from "../../src/discovery/embedded_broker.ts";
import { freePort } from "../fixtures/free_port.ts";
import { hasMosquitto, startMosquitto } from "../fixtures/mosquitto.ts";
import { tcpServer } from "../fixtures/tcp_server.ts";

Deno.test({
  name: "chooseBroker() auto uses a Mosquitto that answers",
  ignore: !hasMosquitto(),
  async fn() {
    const mosquitto = await startMosquitto();
    try {
      const chosen = await chooseBroker({ broker: "auto", port: mosquitto.port });
      assert.equal(chosen.kind, "found");
      assert.equal(
        chosen.description,
        `Using the MQTT broker found on localhost:${mosquitto.port}`,
      );
      await chosen.close();
      assert.equal(await probeBroker("127.0.0.1", mosquitto.port), "broker");
    } finally {
      await mosquitto.remove();
    }
  },
});

Deno.test("chooseBroker() auto starts a broker on a free port and stops it again", async () => {
  const port = await freePort();
  const chosen = await chooseBroker({ broker: "auto", port });
  assert.equal(await probeBroker("localhost", port), "broker");
  await chosen.close();
  const { close: _, ...told } = chosen;
  assert.deepEqual(told, {
    host: "127.0.0.1",
    port,
    kind: "embedded",
    description: `Started an MQTT broker on 127.0.0.1:${port}`,
  });
  assert.equal(await probeBroker("localhost", port), "closed");
});

Deno.test("chooseBroker() auto lets two leaders that start at once share one broker", async () => {
  const port = await freePort();
  const chosen = await Promise.all([1, 2].map(() => chooseBroker({ broker: "auto", port })));
  assert.deepEqual(chosen.map(({ kind }) => kind).sort(), ["embedded", "found"]);
  await Promise.all(chosen.map((broker) => broker.close()));
});

Deno.test("chooseBroker() auto refuses a port that speaks something else", async () => {
  const server = await tcpServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  try {
    await assert.rejects(chooseBroker({ broker: "auto", port: server.port }), (error) => {
      assert.ok(error instanceof UnreachableError);
      assert.equal(
        error.message,
        `Cannot use port ${server.port} for MQTT as something that is not an MQTT broker holds it: ` +
          "set another mqtt_broker_port",
      );
      return true;
    });
  } finally {
    await server.close();
  }
});

Deno.test("chooseBroker() auto refuses a broker that does not let us in", async () => {
  const NOT_AUTHORISED = Uint8Array.of(0x20, 2, 0, 5);
  const server = await tcpServer((socket) => socket.end(NOT_AUTHORISED));
  try {
    await assert.rejects(
      chooseBroker({ broker: "auto", port: server.port }),
      new RegExp(`broker on localhost:${server.port} as it refuses anonymous clients`),
    );
  } finally {
    await server.close();
  }
});

Deno.test("chooseBroker() embedded names the key when another broker holds the port", async () => {
  const other = await startEmbeddedBroker("127.0.0.1", 0);
  try {
    await assert.rejects(chooseBroker({ broker: "embedded", port: other.port }), (error) => {
      assert.ok(error instanceof PortTakenError);
      assert.match(error.message, /the embedded MQTT broker .*mqtt_broker_port$/);
      return true;
    });
  } finally {
    await other.close();
  }
});

Deno.test("chooseBroker() takes a host name as it is", async () => {
  const { close: _, ...chosen } = await chooseBroker({ broker: "broker.example", port: 1884 });
  assert.deepEqual(chosen, {
    host: "broker.example",
    port: 1884,
    kind: "configured",
    description: "Using the configured MQTT broker on broker.example:1884",
  });
});

Deno.test("probeBroker() gives up on a port that says nothing", async () => {
  const server = await tcpServer(() => {});
  try {
    assert.equal(await probeBroker("127.0.0.1", server.port, 100), "other");
  } finally {
    await server.close();
  }
});

Deno.test("probeBroker() understands an answer that comes byte by byte", async () => {
  const server = await tcpServer((socket) => {
    socket.setNoDelay(true);
    socket.write(Uint8Array.of(0x20));
    setTimeout(() => socket.write(Uint8Array.of(2, 0, 0)), 20);
  });
  try {
    assert.equal(await probeBroker("127.0.0.1", server.port), "broker");
  } finally {
    await server.close();
  }
});
