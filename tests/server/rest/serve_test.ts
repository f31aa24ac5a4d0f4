import assert from "node:assert/strict";
import { PortTakenError } from "../../../src/core/errors.ts";
import { createRest, serveRest } from "../../../src/server/rest.ts";
import { events } from "./event_reader.ts";
import { CONFIG, FakeService, FIRST_EVENTS, parseConfig } from "./fake_service.ts";
import { json, post, refused } from "./requests.ts";

Deno.test("serveRest() answers on loopback, and refuses foreign hosts there", async () => {
  await using rest = serve();
  assert.equal(rest.server.hostname, "127.0.0.1");
  await json(fetch(`${rest.url}/healthz`), 200);
  assert.match(await rawRequest(rest.server.port, "GET /healthz", "evil.test"), /^HTTP\/1.1 403 /);
  assert.match(await rawRequest(rest.server.port, "GET /healthz", "localhost"), /^HTTP\/1.1 200 /);
});

Deno.test("serveRest() lets a reader resume events where its connection broke", async () => {
  await using rest = serve();
  const { service, url } = rest;
  await service.submit({ config: parseConfig(CONFIG), modelPackage: null });
  service.add("session-1", ...FIRST_EVENTS);
  const broken = new AbortController();
  const path = `${url}/api/v1/sessions/session-1/events`;
  const first = events(await fetch(path, { signal: broken.signal }));
  assert.equal((await first.next()).value?.id, "1");
  assert.equal((await first.next()).value?.id, "2");
  broken.abort();
  await service.until(() => service.followers === 0);
  service.add("session-1", { type: "session_finished", weights: "w" });
  const again = await Array.fromAsync(
    events(await fetch(path, { headers: { "last-event-id": "2" } })),
  );
  assert.deepEqual(again.map(({ id }) => id), ["3", "4"]);
});

Deno.test("serveRest() refuses a body too large that declares its size", async () => {
  await using rest = serve(1000);
  const body = { config: { padding: "x".repeat(5000) } };
  const answer = fetch(`${rest.url}/api/v1/sessions`, post(body));
  const { message } = await refused(answer, 413, "body_too_large");
  assert.match(message, /more than 1000 bytes/);
});

Deno.test("serveRest() refuses a body too large that arrives in chunks of unknown number", async () => {
  await using rest = serve(1000);
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent++ === 20) return controller.close();
      controller.enqueue(new Uint8Array(500).fill(0x20));
    },
  });
  const headers = { "content-type": "application/json" };
  const answer = fetch(`${rest.url}/execute_command`, { method: "POST", headers, body });
  assert.match((await json<{ message: string }>(answer, 413)).message, /more than 1000 bytes/);
});

Deno.test("serveRest() accepts a body just as large as allowed, by default 16 MiB", async () => {
  await using rest = serve();
  const limit = 16 * 1024 * 1024;
  const head = '{"padding":"';
  const fitting = head + "x".repeat(limit - head.length - 2) + '"}';
  const url = `${rest.url}/api/v1/sessions`;
  await refused(fetch(url, post(fitting)), 400, "invalid_request");
  await refused(fetch(url, post(fitting + " ")), 413, "body_too_large");
});

Deno.test("serveRest() names the port that is taken and the flag to choose another", async () => {
  await using rest = serve();
  const { port } = rest.server;
  assert.throws(
    () => serveRest(createRest(rest.service, { parseConfig }), { port }),
    (error) =>
      error instanceof PortTakenError && error.port === port &&
      error.message.includes("--rest-port"),
  );
});

Deno.test("close() ends event streams and waiting commands, then takes no more", async () => {
  const rest = serve();
  const { service, url } = rest;
  const command = fetch(
    `${url}/execute_command`,
    post({ session_id: "mine", federated_learning_config: CONFIG }),
  );
  await service.until(() => service.followers === 1);
  const reader = events(await fetch(`${url}/api/v1/sessions/session-1/events`));
  assert.equal((await reader.next()).value?.id, "1");
  await service.until(() => service.followers === 2);
  const closed = rest.server.close();
  assert.equal((await reader.next()).done, true);
  await json(command, 503);
  await closed;
  assert.equal(service.followers, 0);
  await assert.rejects(fetch(`${url}/healthz`));
});

Deno.test("close() waits no longer than its grace for an answer that does not come", async () => {
  const stuck = Promise.withResolvers<void>();
  const rest = serve(undefined, 20);
  const { service, url } = rest;
  await service.submit({ config: parseConfig(CONFIG), modelPackage: null });
  const stopping = Promise.withResolvers<void>();
  service.stop = async (id) => {
    stopping.resolve();
    await stuck.promise;
    return await service.get(id);
  };
  const answer = fetch(`${url}/api/v1/sessions/session-1/stop`, { method: "POST" });
  await stopping.promise;
  await rest.server.close();
  stuck.resolve();
  await json(answer, 200);
});

function serve(maxBodyBytes?: number, graceMs = 5000) {
  const service = new FakeService();
  const limit = maxBodyBytes === undefined ? {} : { maxBodyBytes };
  const server = serveRest(createRest(service, { parseConfig, ...limit }), { port: 0, graceMs });
  const url = `http://127.0.0.1:${server.port}`;
  return { service, server, url, [Symbol.asyncDispose]: () => server.close() };
}

/** Sends a request with a `Host` that fetch would not send; returns the answer's text. */
async function rawRequest(port: number, line: string, host: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const text = `${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  await connection.write(new TextEncoder().encode(text));
  const chunks: string[] = [];
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  for (let n; (n = await connection.read(buffer)) !== null;) {
    chunks.push(decoder.decode(buffer.subarray(0, n), { stream: true }));
  }
  return chunks.join("");
}
