/** What only the gRPC transport does. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { silentLogger } from "../../src/log/log.ts";
import { serveEdge } from "../../src/rpc/grpc_server.ts";
import { createGrpcTransport, type GrpcTransportOptions } from "../../src/rpc/grpc_transport.ts";
import type { ClientLink, EdgeHandlers } from "../../src/rpc/transport.ts";
import { bytesOf, edgeFake, jobOf, updateOf } from "../contract/edge_fake.ts";
import { collectingSink, rejectsWith, within } from "../contract/transport_suite.ts";

const HASH = "cd".repeat(32);

async function withLinks(
  clients: readonly EdgeHandlers[],
  options: GrpcTransportOptions,
  body: (links: readonly ClientLink[]) => Promise<void>,
): Promise<void> {
  const at = { host: "127.0.0.1", syncPort: 0, asyncPort: 0, logger: silentLogger };
  const servers = await Promise.all(
    clients.map((handlers) => serveEdge({ ...at, handlers })),
  );
  const transport = createGrpcTransport(options);
  try {
    await body(servers.map((server, index) => transport.connect(`client_${index}`, server)));
  } finally {
    transport.close();
    await Promise.all(servers.map((server) => server.close()));
  }
}

Deno.test("putWeights() to a client that does not read leaves room for the others", () => {
  const stuck = edgeFake({ receiveWeights: () => new Promise(() => {}) });
  const reading = edgeFake();
  // Room for six frames, of which one transfer takes four at most.
  const options = { frameBytes: 65536, budgetBytes: 6 * 65600 };
  return withLinks([stuck, reading], options, async ([slow, fast]) => {
    const abort = new AbortController();
    const call = { signal: abort.signal, deadlineMs: 30_000 };
    const held = slow!.putWeights(HASH, bytesOf(50_000_000), call);
    await fast!.putWeights(HASH, bytesOf(3_000_000), within(10_000));
    assert.equal(reading.weights.get(HASH)!.length, 3_000_000);
    abort.abort();
    await rejectsWith("cancelled", held);
    // What the cancelled transfer held is free again.
    await fast!.putWeights(HASH, bytesOf(3_000_000), within(10_000));
  });
});

Deno.test("train() refuses an update above the transport's limit", () => {
  const handlers = edgeFake({ train: () => Promise.resolve(updateOf(bytesOf(1001))) });
  return withLinks([handlers], { maxUpdateBytes: 1000 }, async ([link]) => {
    const running = link!.train(jobOf(HASH), collectingSink(), within(5000));
    await assert.rejects(running, /an update of 1001 bytes from client client_0 .*: at most 1000/);
  });
});

Deno.test("train() holds back a client whose update is taken slowly", () => {
  const handlers = edgeFake({ train: () => Promise.resolve(updateOf(bytesOf(64_000_000))) });
  return withLinks([handlers], {}, async ([link]) => {
    let taken = 0;
    const before = Deno.memoryUsage().rss;
    const pause = Promise.withResolvers<void>();
    const running = link!.train(jobOf(HASH), {
      progress() {},
      async update(_header, bytes) {
        for await (const chunk of bytes) {
          if (taken === 0) await pause.promise;
          taken += chunk.length;
        }
      },
    }, within(20_000));
    // A call that is answered shows that the leader goes on while the update waits.
    for (let i = 0; i < 20; i++) await link!.echo("x", within(5000));
    assert(Deno.memoryUsage().rss - before < 64_000_000 + 48_000_000);
    pause.resolve();
    await running;
    assert.equal(taken, 64_000_000);
  });
});

Deno.test("connect() costs no connection, and calls to nobody fail as unavailable", async () => {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as { port: number };
  let dialled = 0;
  listener.on("connection", (socket) => {
    dialled++;
    socket.destroy();
  });
  const at = { sync: `127.0.0.1:${port}`, async: `127.0.0.1:${port}` };
  const transport = createGrpcTransport();
  const link = transport.connect("nobody", at);
  assert.equal(dialled, 0);
  await rejectsWith("unavailable", link.echo("x", within(5000)), /client nobody at 127\.0\.0\.1/);
  assert(dialled > 0);
  transport.close();
  listener.close();
  await once(listener, "close");
});

Deno.test("echo() to a port that accepts and stays silent ends at the deadline", async () => {
  const listener = createServer(() => {}).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const sockets: { destroy(): void }[] = [];
  listener.on("connection", (socket) => sockets.push(socket));
  const { port } = listener.address() as { port: number };
  const at = { sync: `127.0.0.1:${port}`, async: `127.0.0.1:${port}` };
  const transport = createGrpcTransport();
  await rejectsWith("deadline", transport.connect("mute", at).echo("x", within(100)));
  transport.close();
  for (const socket of sockets) socket.destroy();
  listener.close();
  await once(listener, "close");
});

Deno.test("close() of one of two links to an address leaves the other open", async () => {
  const at = { host: "127.0.0.1", syncPort: 0, asyncPort: 0, logger: silentLogger };
  const server = await serveEdge({ ...at, handlers: edgeFake() });
  const transport = createGrpcTransport();
  const [first, second] = [transport.connect("one", server), transport.connect("one", server)];
  first!.close();
  assert.equal(await second!.echo("x", within(5000)), "Ack");
  second!.close();
  const third = transport.connect("one", server);
  assert.equal(await third.echo("x", within(5000)), "Ack");
  transport.close();
  await rejectsWith("unavailable", third.echo("x", within(5000)), /the link is closed/);
  await server.close();
});

Deno.test("createGrpcTransport() refuses frames that no client takes", () => {
  assert.throws(() => createGrpcTransport({ frameBytes: 2 ** 20 + 1 }), RangeError);
});
