import assert from "node:assert/strict";
import fc from "fast-check";
import type { ClientMessage } from "../../src/discovery/discovery.ts";
import {
  decodeClientMessage,
  decodeLeaderAdvert,
  encodeClientMessage,
  encodeLeaderAdvert,
  MAX_PAYLOAD_BYTES,
} from "../../src/discovery/messages.ts";
import { clientAdvert, leaderAdvert } from "../fixtures/adverts.ts";

const ID = "0a0a0a0a-0000-4000-8000-000000000001";

Deno.test("encodeClientMessage() wraps an advert in the client's id, as the original does", () => {
  const advert = clientAdvert();
  const text = encodeClientMessage({ kind: "advert", client: ID, advert });
  assert.deepEqual(JSON.parse(text), { [ID]: { payload: advert } });
});

Deno.test("decodeClientMessage() gives back what encodeClientMessage() wrote", () => {
  const messages: ClientMessage[] = [
    { kind: "advert", client: ID, advert: clientAdvert() },
    { kind: "heartbeat", client: ID, timestamp: 1.5 },
    { kind: "lost", client: ID },
  ];
  for (const message of messages) {
    assert.deepEqual(decodeClientMessage(message.kind, bytes(encodeClientMessage(message))), {
      ok: true,
      value: message,
    });
  }
});

Deno.test("decodeLeaderAdvert() gives back what encodeLeaderAdvert() wrote", () => {
  const decoded = decodeLeaderAdvert(bytes(encodeLeaderAdvert(leaderAdvert())));
  assert.deepEqual(decoded, { ok: true, value: leaderAdvert() });
});

Deno.test("decodeClientMessage() takes an original client's advert: no grpc_async_ep, unknown keys", () => {
  const { grpc_async_ep: _, ...advert } = clientAdvert();
  const decoded = decodeClientMessage(
    "advert",
    bytes(JSON.stringify({ [ID]: { payload: { ...advert, novelty: 1 } } })),
  );
  assert.deepEqual(decoded, { ok: true, value: { kind: "advert", client: ID, advert } });
});

Deno.test("decodeClientMessage() turns a number of cores into text", () => {
  const advert = { ...clientAdvert(), hw_info: { ...clientAdvert().hw_info, cpu_core_count: 8 } };
  const decoded = decodeClientMessage(
    "advert",
    bytes(JSON.stringify({ [ID]: { payload: advert } })),
  );
  assert.ok(decoded.ok && decoded.value.kind === "advert");
  assert.equal(decoded.value.advert.hw_info.cpu_core_count, "8");
});

Deno.test("decodeClientMessage() names the field that makes it refuse an advert", () => {
  const refused: [object, string][] = [
    [{ grpc_ep: "127.0.0.1" }, "payload.grpc_ep"],
    [{ grpc_ep: "127.0.0.1:0" }, "payload.grpc_ep"],
    [{ grpc_ep: "127.0.0.1:65536" }, "payload.grpc_ep"],
    [{ grpc_ep: "http://127.0.0.1:80" }, "payload.grpc_ep"],
    [{ grpc_ep: "unix:/run/socket:1" }, "payload.grpc_ep"],
    [{ grpc_async_ep: null }, "payload.grpc_async_ep"],
    [{ name: "" }, "payload.name"],
    [{ name: "a\nb" }, "payload.name"],
    [{ timestamp: "now" }, "payload.timestamp"],
    [{ models: { LeNet5: 5 } }, "payload.models.LeNet5"],
    [{ benchmark_info: [] }, "payload.benchmark_info"],
    [{ hw_info: {} }, "payload.hw_info.arch"],
    [
      { datasets: { MNIST: { dataset_details: {}, metadata: { num_items: -1 } } } },
      "payload.datasets.MNIST.metadata.num_items",
    ],
    [
      { datasets: { MNIST: { dataset_details: {}, metadata: { num_items: 1.5 } } } },
      "payload.datasets.MNIST.metadata.num_items",
    ],
  ];
  for (const [change, path] of refused) {
    const text = JSON.stringify({ [ID]: { payload: { ...clientAdvert(), ...change } } });
    assert.deepEqual(decodeClientMessage("advert", bytes(text)), {
      ok: false,
      reason: `${path} is missing or not as expected`,
    });
  }
});

Deno.test("decodeClientMessage() takes endpoints with names, IPv4 and bracketed IPv6 addresses", () => {
  for (const grpc_ep of ["edge-1.example:1", "a:65535", "10.0.0.7:50053", "[fe80::1]:50053"]) {
    const text = encodeClientMessage({
      kind: "advert",
      client: ID,
      advert: clientAdvert({ grpc_ep }),
    });
    assert.ok(decodeClientMessage("advert", bytes(text)).ok, grpc_ep);
  }
});

Deno.test("decodeClientMessage() refuses ids that cannot be a client's", () => {
  const ids = ["", "__proto__", "a/b", "a b", "../x", "#", "a".repeat(101), "é"];
  for (const id of ids) {
    const payload = JSON.stringify({ id, timestamp: 1 });
    assert.equal(decodeClientMessage("heartbeat", bytes(payload)).ok, false, id);
    const advert = `{${JSON.stringify(id)}: {"payload": ${JSON.stringify(clientAdvert())}}}`;
    assert.equal(decodeClientMessage("advert", bytes(advert)).ok, false, id);
  }
});

Deno.test("decodeClientMessage() refuses an advert of two clients in one message", () => {
  const one = { payload: clientAdvert() };
  assert.deepEqual(decodeClientMessage("advert", bytes(JSON.stringify({ a: one, b: one }))), {
    ok: false,
    reason: "the only key must be a client id",
  });
});

Deno.test("decodeClientMessage() takes a payload of exactly the limit and refuses one byte more", () => {
  const beat = JSON.stringify({ id: ID, timestamp: 1 });
  assert.ok(decodeClientMessage("heartbeat", bytes(beat.padEnd(MAX_PAYLOAD_BYTES))).ok);
  assert.deepEqual(decodeClientMessage("heartbeat", bytes(beat.padEnd(MAX_PAYLOAD_BYTES + 1))), {
    ok: false,
    reason: "more than 1048576 bytes",
  });
});

Deno.test("decodeClientMessage() refuses nesting that would overflow a stack", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  assert.deepEqual(decodeClientMessage("lost", bytes(`{"id": "a", "more": ${deep}}`)), {
    ok: false,
    reason: "nested deeper than 32",
  });
});

Deno.test("decodeLeaderAdvert() refuses an interval or a topic that would harm a client", () => {
  const refused: [object, string][] = [
    [{ heartbeat_interval: 0 }, "heartbeat_interval"],
    [{ heartbeat_interval: -1 }, "heartbeat_interval"],
    [{ heartbeat_interval: 1e9 }, "heartbeat_interval"],
    [{ mqtt_client_topic: "" }, "mqtt_client_topic"],
    [{ mqtt_client_topic: "#" }, "mqtt_client_topic"],
    [{ mqtt_client_topic: "a/+/b" }, "mqtt_client_topic"],
  ];
  for (const [change, path] of refused) {
    assert.deepEqual(decodeLeaderAdvert(bytes(JSON.stringify({ ...leaderAdvert(), ...change }))), {
      ok: false,
      reason: `${path} is missing or not as expected`,
    });
  }
});

Deno.test("decodeClientMessage() answers any bytes and any JSON without throwing", () => {
  const kind = fc.constantFrom<ClientMessage["kind"]>("advert", "heartbeat", "lost");
  fc.assert(fc.property(kind, fc.uint8Array({ maxLength: 200 }), (kind, payload) => {
    assert.equal(decodeClientMessage(kind, payload).ok, false);
  }));
  fc.assert(fc.property(kind, fc.jsonValue(), (kind, value) => {
    const decoded = decodeClientMessage(kind, bytes(JSON.stringify({ [ID]: value })));
    assert.equal(typeof decoded.ok, "boolean");
    if (!decoded.ok) assert.ok(decoded.reason.length > 0);
  }));
});

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
