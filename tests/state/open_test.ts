/** That the store is the one asked for, and no other. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { UnreachableError } from "../../src/core/errors.ts";
import { openStore } from "../../src/state/open.ts";
import { RedisServer, redisTest } from "../fixtures/redis.ts";

Deno.test("openStore() opens memory and SQLite with the clock it is given", async () => {
  const folder = await Deno.makeTempDir({ prefix: "flotilla-" });
  for (
    const [options, description] of [
      [{ kind: "memory" }, "memory"],
      [{ kind: "sqlite", folder }, `sqlite at ${join(folder, "flotilla.db")}`],
    ] as const
  ) {
    const store = await openStore(options, () => 1234);
    assert.equal(store.description, description);
    assert.deepEqual(await store.journal.append("run", 0, [{ type: "a" }]), [
      { seq: 1, at: 1234, event: { type: "a" } },
    ]);
    await store.close();
  }
  await Deno.remove(folder, { recursive: true });
});

redisTest("openStore() opens Redis, and never another store when it is gone", async () => {
  await using server = await RedisServer.start();
  const options = { kind: "redis", hostname: "127.0.0.1", port: server.port } as const;
  const store = await openStore(options, () => 1234);
  assert.equal(store.description, `redis at 127.0.0.1:${server.port}`);
  const [entry] = await store.journal.append("run", 0, [{ type: "a" }]);
  assert.equal(entry?.at, 1234);
  await store.close();
  await server.stop();
  await assert.rejects(openStore(options), UnreachableError);
});
