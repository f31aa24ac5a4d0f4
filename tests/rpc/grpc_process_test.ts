/** The wire between real processes, one of which goes away. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import http2 from "node:http2";
import { weightsId } from "../../src/core/weights_id.ts";
import { createGrpcTransport } from "../../src/rpc/grpc_transport.ts";
import { edgeRpcs } from "../../src/rpc/services.ts";
import type { ClientEndpoints, ClientLink } from "../../src/rpc/transport.ts";
import { bytesOf, jobOf } from "../contract/edge_fake.ts";
import { collectingSink, rejectsWith, within } from "../contract/transport_suite.ts";

const PROGRAM = new URL("fixtures/edge_process.ts", import.meta.url).pathname;

/** More calls than a connection of this runtime survives a GOAWAY after. */
const MANY = 300;

async function withClient(
  body: (endpoints: ClientEndpoints, child: Deno.ChildProcess) => Promise<void>,
): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", PROGRAM],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  try {
    const lines = child.stdout.pipeThrough(new TextDecoderStream());
    for await (const line of lines) {
      await body(JSON.parse(line), child);
      break;
    }
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await child.stdin.close().catch(() => {});
    await child.status;
  }
}

async function callOften(link: ClientLink): Promise<void> {
  await Promise.all(Array.from({ length: MANY }, () => link.echo("x", within(10_000))));
  const bytes = bytesOf(1_000_000);
  const id = weightsId(bytes);
  await link.putWeights(id, bytes, within(10_000));
  await link.train(jobOf(id, { trainer: "echo" }), collectingSink(), within(10_000));
}

Deno.test("train() fails at once as unavailable when the client is killed", () =>
  withClient(async (endpoints, child) => {
    const transport = createGrpcTransport();
    const link = transport.connect("victim", endpoints);
    const training = Promise.withResolvers<void>();
    const sink = { ...collectingSink(), progress: () => training.resolve() };
    const running = link.train(jobOf("cd".repeat(32)), sink, within(60_000));
    await training.promise;
    const killed = performance.now();
    child.kill("SIGKILL");
    await rejectsWith("unavailable", running, /victim/);
    assert(performance.now() - killed < 2000);
    await rejectsWith("unavailable", link.echo("x", within(5000)), /victim/);
    transport.close();
  }));

Deno.test("train() fails as unavailable when the client gives no sign of life", () =>
  withClient(async (endpoints, child) => {
    const transport = createGrpcTransport({ keepaliveMs: 500, keepaliveTimeoutMs: 3000 });
    const link = transport.connect("frozen", endpoints);
    const training = Promise.withResolvers<void>();
    const sink = { ...collectingSink(), progress: () => training.resolve() };
    const running = link.train(jobOf("cd".repeat(32)), sink, within(60_000));
    await training.promise;
    await callOften(link);
    child.kill("SIGSTOP");
    await rejectsWith("unavailable", running, /frozen/);
    // The connection that was given up must not end the client when it wakes.
    child.kill("SIGCONT");
    assert.equal(await link.echo("x", within(5000)), "Ack");
    transport.close();
  }));

Deno.test("a stock caller that says GOAWAY leaves the client alive", () =>
  withClient(async (endpoints) => {
    const { Echo } = edgeRpcs().edge;
    for (let round = 0; round < 3; round++) {
      const session = http2.connect(`http://${endpoints.sync}`);
      const headers = {
        ":path": Echo.path,
        ":method": "POST",
        "content-type": "application/grpc",
        te: "trailers",
      };
      await Promise.all(Array.from({ length: MANY }, async () => {
        const stream = session.request(headers);
        stream.end(Buffer.alloc(5));
        stream.resume();
        await once(stream, "close");
      }));
      session.goaway();
      session.close();
      await once(session, "close");
    }
    const transport = createGrpcTransport();
    const link = transport.connect("server", endpoints);
    assert.equal(await link.echo("x", within(5000)), "Ack");
    transport.close();
  }));

Deno.test("close() of a transport leaves the client alive", () =>
  withClient(async (endpoints) => {
    for (let round = 0; round < 3; round++) {
      const transport = createGrpcTransport();
      await callOften(transport.connect("server", endpoints));
      transport.close();
    }
    const transport = createGrpcTransport();
    const link = transport.connect("server", endpoints);
    assert.equal(await link.echo("x", within(5000)), "Ack");
    transport.close();
  }));

Deno.test("close() of a client leaves the leader alive", () =>
  withClient(async (endpoints, child) => {
    const transport = createGrpcTransport();
    const link = transport.connect("leaver", endpoints);
    await callOften(link);
    await child.stdin.close();
    assert.equal((await child.status).code, 0);
    await rejectsWith("unavailable", link.echo("x", within(5000)), /leaver/);
    transport.close();
  }));
