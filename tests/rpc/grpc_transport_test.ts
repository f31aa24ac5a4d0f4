/** What only the gRPC transport does. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { silentLogger } from "../../src/log/log.ts";
import { serveEdge } from "../../src/rpc/grpc_server.ts";
import { createGrpcTransport, type GrpcTransportOptions } from "../../src/rpc/grpc_transport.ts";
import type { ClientLink, EdgeHandlers } from "../../src/rpc/transport.ts";
import { WINDOW_BYTES } from "../../src/rpc/windows.ts";
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
  // Room for two large transfers.
  const options = { frameBytes: 65536, budgetBytes: 2 * WINDOW_BYTES };
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

Deno.test("putWeights() ends at the transfer's own deadline, long before the call's", () => {
  const stuck = edgeFake({ receiveWeights: () => new Promise(() => {}) });
  return withLinks([stuck], { transferAllowanceMs: 200 }, async ([link]) => {
    await rejectsWith("deadline", link!.putWeights(HASH, bytesOf(1000), within(600_000)));
  });
});

Deno.test("train() does not count the time in which the taker of an update waits for room", () => {
  const handlers = edgeFake({ train: () => Promise.resolve(updateOf(bytesOf(1000))) });
  return withLinks([handlers], { transferAllowanceMs: 200 }, async ([link]) => {
    const running = link!.train(jobOf(HASH), {
      progress() {},
      async update(_header, bytes) {
        for await (const _ of bytes) break;
        await new Promise((resolve) => setTimeout(resolve, 400));
        throw new Error("there is room now");
      },
    }, within(10_000));
    await assert.rejects(running, /there is room now/);
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

/** Bytes that tell how many of them have been cut into frames. */
class CountedBytes extends Uint8Array {
  static taken = 0;

  override subarray(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    const part = new Uint8Array(this.buffer as ArrayBuffer).subarray(start, end);
    CountedBytes.taken += part.length;
    return part;
  }
}

const UPDATE_BYTES = 100_000;
/** Room for two updates and not for three. */
const ROOM_FOR_TWO = { incomingBytes: 250_000 };

/** A sink that takes nothing before it is told to. */
function waitingSink() {
  const sink = collectingSink();
  const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  return {
    sink: {
      ...sink,
      async update(...update: Parameters<typeof sink.update>) {
        reached.resolve();
        await go.promise;
        await sink.update(...update);
      },
    },
    reached: reached.promise,
    go: go.resolve,
  };
}

Deno.test("train() asks a client for its update only when there is room for it", () => {
  CountedBytes.taken = 0;
  const counted = new CountedBytes(UPDATE_BYTES);
  const clients = Array.from({ length: 8 }, () => {
    const { header } = updateOf(new Uint8Array(UPDATE_BYTES));
    return edgeFake({ train: () => Promise.resolve({ header, bytes: counted }) });
  });
  return withLinks(clients, ROOM_FOR_TWO, async (links) => {
    const sinks = links.map(waitingSink);
    let open = 0;
    let most = 0;
    const running = links.map(async (link, i) => {
      const { sink } = sinks[i]!;
      await link.train(jobOf(HASH), {
        ...sink,
        async update(header, bytes) {
          most = Math.max(most, ++open);
          await sink.update(header, bytes);
          open--;
        },
      }, within(20_000));
    });
    await Promise.all(sinks.slice(0, 2).map(({ reached }) => reached));
    for (const link of links) await link.echo("x", within(5000));
    assert(CountedBytes.taken <= 2 * UPDATE_BYTES, `${CountedBytes.taken} bytes are under way`);
    for (const { go } of sinks) go();
    await Promise.all(running);
    assert.equal(most, 2);
    assert.equal(CountedBytes.taken, 8 * UPDATE_BYTES);
  });
});

Deno.test("train() that is cancelled or fails gives its place to the next", () => {
  const clients = Array.from(
    { length: 4 },
    () => edgeFake({ train: () => Promise.resolve(updateOf(bytesOf(UPDATE_BYTES))) }),
  );
  return withLinks(clients, ROOM_FOR_TWO, async ([first, second, third, fourth]) => {
    const abort = new AbortController();
    const hanging = waitingSink();
    const call = { signal: abort.signal, deadlineMs: 20_000 };
    const cancelled = first!.train(jobOf(HASH), hanging.sink, call);
    const refusal = new RangeError("not this one");
    const refusing = waitingSink();
    const refused = second!.train(jobOf(HASH), {
      ...refusing.sink,
      async update(header, bytes) {
        await refusing.sink.update(header, bytes);
        throw refusal;
      },
    }, within(20_000));
    await Promise.all([hanging.reached, refusing.reached]);
    const others = [third!, fourth!].map((link) =>
      link.train(jobOf(HASH), collectingSink(), within(4000))
    );
    abort.abort();
    await rejectsWith("cancelled", cancelled);
    refusing.go();
    await assert.rejects(refused, refusal);
    await Promise.all(others);
    hanging.go();
  });
});

Deno.test("serveEdge() outlives a leader that goes away as a training ends", () => {
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const handlers = edgeFake({
    async train(_job, _progress, signal) {
      started.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      ended.resolve();
      return updateOf(bytesOf(1000));
    },
  });
  return withLinks([handlers], {}, async ([link]) => {
    const abort = new AbortController();
    const call = { signal: abort.signal, deadlineMs: 20_000 };
    const running = link!.train(jobOf(HASH), collectingSink(), call);
    await started.promise;
    abort.abort();
    await rejectsWith("cancelled", running);
    await ended.promise;
    // A rejection that nobody awaits would have ended the process, here the test, by now.
    assert.equal(await link!.echo("x", within(5000)), "Ack");
  });
});

Deno.test("train() ends when its client dies before its update is fetched", async () => {
  const at = { host: "127.0.0.1", syncPort: 0, asyncPort: 0, logger: silentLogger };
  const asked = Promise.withResolvers<void>();
  const servers = await Promise.all([false, true, false].map((tells) =>
    serveEdge({
      ...at,
      handlers: edgeFake({
        train() {
          if (tells) asked.resolve();
          return Promise.resolve(updateOf(bytesOf(200_000)));
        },
      }),
    })
  ));
  const transport = createGrpcTransport(ROOM_FOR_TWO);
  const [busy, dying, next] = servers.map((server, i) => transport.connect(`client_${i}`, server));
  const slow = waitingSink();
  const slowly = busy!.train(jobOf(HASH), slow.sink, within(20_000));
  await slow.reached;
  const never = collectingSink();
  const died = dying!.train(jobOf(HASH), never, within(20_000));
  await asked.promise;
  await servers[1]!.close();
  await rejectsWith("unavailable", died, /client_1/);
  assert.equal(never.header, undefined);
  const after = next!.train(jobOf(HASH), collectingSink(), within(10_000));
  slow.go();
  await Promise.all([slowly, after]);
  transport.close();
  await Promise.all([servers[0]!.close(), servers[2]!.close()]);
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
