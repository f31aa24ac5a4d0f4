/** The Redis store against the contract, and what a lost or refusing server does to it. */
import { Redis } from "ioredis";
import assert from "node:assert/strict";
import { FileAccessError, FlotillaError, UnreachableError } from "../../src/core/errors.ts";
import { openRedisStore } from "../../src/state/redis.ts";
import type { Store } from "../../src/state/store.ts";
import { testStore } from "../contract/store_suite.ts";
import { RedisServer, redisTest } from "../fixtures/redis.ts";

const HOST = "127.0.0.1";
const EVENT = { type: "a" };
/** Half a second instead of five, so that a test need not wait long for a failure. */
const QUICK = { answerWithinMs: 500 };

testStore({
  name: "redis",
  keeps: true,
  test: redisTest,
  async place() {
    const server = await RedisServer.start();
    return {
      open: () => openRedisStore(HOST, server.port),
      leftovers: () => keys(server, "flotilla:upload:*"),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
});

Deno.test("openRedisStore() names a server that cannot be reached, and what to do", async () => {
  const port = closedPort();
  await assert.rejects(openRedisStore("localhost", port), (error) => {
    assert.ok(error instanceof UnreachableError);
    assert.match(
      error.message,
      new RegExp(`^Cannot reach Redis at localhost:${port} as .*REFUSED`),
    );
    assert.match(error.message, /: start one there \(redis-server\), or choose another store/);
    return true;
  });
  await assert.rejects(openRedisStore("redis.invalid", 6379), (error) => {
    assert.ok(error instanceof UnreachableError);
    assert.match(error.message, /redis\.invalid:6379/);
    return true;
  });
});

Deno.test("openRedisStore() gives up on a server that says nothing within 3 s", async () => {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  const accepted = listener.accept();
  const started = performance.now();
  await assert.rejects(openRedisStore(HOST, listener.addr.port), (error) => {
    assert.ok(error instanceof UnreachableError);
    assert.match(error.message, /has not answered within 2 s/);
    return true;
  });
  assert.ok(performance.now() - started < 3000);
  (await accepted).close();
});

Deno.test("openRedisStore() says that what answers is not Redis", async () => {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  const answered = listener.accept().then(async (connection) => {
    await connection.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
    connection.close();
  });
  await unreachable(openRedisStore(HOST, listener.addr.port), "what answers there is not Redis");
  await answered;
});

redisTest("openRedisStore() refuses keys of another version, and leaves them alone", async () => {
  await using server = await RedisServer.start();
  const redis = new Redis(server.port, HOST);
  try {
    for (const [version, writer] of [["2", "a newer Flotilla"], ["mine", "another program"]]) {
      await redis.set("flotilla:version", version!);
      await assert.rejects(openRedisStore(HOST, server.port), (error) => {
        assert.ok(error instanceof FileAccessError);
        assert.match(error.message, new RegExp(`as ${writer} has written its keys .*"${version}"`));
        return true;
      });
      assert.equal(await redis.get("flotilla:version"), version);
    }
    await redis.del("flotilla:version");
    await (await openRedisStore(HOST, server.port)).close();
    assert.equal(await redis.get("flotilla:version"), "1");
  } finally {
    await redis.quit();
  }
});

redisTest("read() names a journal entry that is damaged, its session and the server", async () => {
  await using server = await RedisServer.start();
  await using store = await opened(server);
  await store.journal.append("run", 0, [EVENT, EVENT]);
  const redis = new Redis({ host: HOST, port: server.port });
  await redis.lset("flotilla:journal:run", 1, '{"at": 0, "eve');
  await redis.quit();
  await assert.rejects(store.journal.read("run"), {
    name: "JournalError",
    message: new RegExp(
      `^Cannot read entry 2 of session run in Redis at ${HOST}:${server.port} as it is not JSON: `,
    ),
  });
});

redisTest("openRedisStore() says that the server asks for a password", async () => {
  await using server = await RedisServer.start("--requirepass", "secret");
  await unreachable(openRedisStore(HOST, server.port), "it asks for a password");
});

redisTest("the Redis store touches only keys that start with flotilla:", async () => {
  await using server = await RedisServer.start();
  await using store = await opened(server);
  await store.journal.append("run", 0, [EVENT]);
  await store.records.set("key", 1);
  const { id } = await store.blobs.put(new Uint8Array(3));
  assert.deepEqual((await keys(server, "*")).sort(), [
    `flotilla:blob:${id}`,
    "flotilla:journal:run",
    "flotilla:records",
    "flotilla:sessions",
    "flotilla:version",
  ]);
  assert.equal(store.description, `redis at ${HOST}:${server.port}`);
});

redisTest(
  "calls fail in bounded time while the server is gone, and work once it is back",
  async () => {
    await using server = await RedisServer.start();
    await using store = await opened(server);
    await store.journal.append("run", 0, [EVENT]);
    const { id } = await store.blobs.put(new Uint8Array(300_000));
    await server.stop();
    const started = performance.now();
    await Promise.all([
      unreachable(store.journal.append("run", 1, [EVENT]), `${HOST}:${server.port}`),
      unreachable(store.journal.read("run"), "start one there"),
      unreachable(store.blobs.put(new Uint8Array(10)), "start one there"),
      unreachable(store.blobs.get(id), "start one there"),
      unreachable(store.records.entries(""), "start one there"),
    ]);
    assert.ok(performance.now() - started < 2000);
    await server.restart();
    assert.equal((await store.journal.append("run", 1, [EVENT]))[0]?.seq, 2);
    assert.equal((await store.blobs.get(id))?.length, 300_000);
  },
);

redisTest("a call waits for a server that is back in time", async () => {
  await using server = await RedisServer.start();
  await using store = await opened(server, 10_000);
  await store.journal.append("run", 0, [EVENT]);
  await server.stop();
  // A call sent before the end of the connection is known fails; the next one waits.
  const waiting = store.journal.read("run").catch(() => store.journal.read("run"));
  await server.restart();
  assert.equal((await waiting).length, 1);
});

redisTest(
  "calls fail in bounded time while the server hangs, and work once it goes on",
  async () => {
    await using server = await RedisServer.start();
    await using store = await opened(server);
    server.signal("SIGSTOP");
    const started = performance.now();
    await unreachable(store.journal.read("run"), "it does not answer");
    await unreachable(store.journal.read("run"), "start one there");
    assert.ok(performance.now() - started < 3000);
    server.signal("SIGCONT");
    assert.deepEqual(await store.journal.read("run"), []);
  },
);

redisTest("close() ends at once while the server is gone", async () => {
  await using server = await RedisServer.start();
  const store = await openRedisStore(HOST, server.port, QUICK);
  await server.stop();
  await unreachable(store.journal.read("run"), "start one there");
  await store.close();
  await assert.rejects(store.journal.read("run"), (error) => {
    assert.ok(error instanceof FlotillaError);
    assert.match(error.message, /the store has been closed/);
    return true;
  });
});

redisTest("put() says that the server is out of memory and leaves nothing", async () => {
  await using server = await RedisServer.start("--maxmemory", "3mb");
  await using store = await opened(server);
  await assert.rejects(store.blobs.put(new Uint8Array(8_000_000)), (error) => {
    assert.ok(error instanceof FileAccessError);
    assert.match(error.message, new RegExp(`${HOST}:${server.port} refuses with "OOM`));
    assert.match(error.message, /raise its maxmemory/);
    return true;
  });
  assert.deepEqual(await keys(server, "*"), ["flotilla:version"]);
});

redisTest("put() notices that the server has lost pieces of a blob", async () => {
  await using server = await RedisServer.start();
  await using store = await opened(server);
  const redis = new Redis({ host: HOST, port: server.port });
  async function* flushed() {
    yield new Uint8Array(300_000);
    yield new Uint8Array(300_000);
    await redis.flushall();
    yield new Uint8Array(300_000);
  }
  await assert.rejects(store.blobs.put(flushed()), (error) => {
    assert.ok(error instanceof FlotillaError);
    assert.match(error.message, /has lost pieces/);
    return true;
  });
  assert.deepEqual(await redis.keys("*"), []);
  await redis.quit();
});

redisTest("put() leaves pieces that expire when its process dies", async () => {
  await using server = await RedisServer.start();
  await using store = await opened(server);
  const redis = new Redis({ host: HOST, port: server.port });
  let seconds = 0;
  async function* watched() {
    yield new Uint8Array(300_000);
    const [upload] = await redis.keys("flotilla:upload:*");
    seconds = await redis.ttl(upload!);
  }
  const { id } = await store.blobs.put(watched());
  assert.ok(seconds > 3500 && seconds <= 3600, `${seconds} s`);
  // No expiry on the finished blob.
  assert.equal(await redis.ttl(`flotilla:blob:${id}`), -1);
  await redis.quit();
});

/** A store that closes at the end of the block. */
async function opened(
  server: RedisServer,
  answerWithinMs = QUICK.answerWithinMs,
): Promise<Store & AsyncDisposable> {
  const store = await openRedisStore(HOST, server.port, { answerWithinMs });
  return { ...store, [Symbol.asyncDispose]: () => store.close() };
}

async function unreachable(work: Promise<unknown>, part: string): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof UnreachableError, String(error));
    assert.ok(error.message.includes(part), error.message);
    return true;
  });
}

async function keys(server: RedisServer, pattern: string): Promise<string[]> {
  const redis = new Redis({ host: HOST, port: server.port });
  try {
    return await redis.keys(pattern);
  } finally {
    await redis.quit();
  }
}

function closedPort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}
