/** What each store bears. */
import { join } from "node:path";
import { testEndurance } from "../contract/store_endurance.ts";
import { RedisServer, redisTest } from "../fixtures/redis.ts";

const MIB = 1024 * 1024;

// A store in memory holds what it is given, and so does Redis: they are for small models, and a
// gigabyte of the test machine's memory would prove nothing.
testEndurance({
  name: "memory",
  blobs: { bytes: 128 * MIB, growth: 512 * MIB },
  test: (name, body) => Deno.test(name, body),
  place: () =>
    Promise.resolve({
      options: { kind: "memory" },
      loseTail: null,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
});

testEndurance({
  name: "sqlite",
  blobs: { bytes: 1024 * MIB, growth: 200 * MIB },
  test: (name, body) => Deno.test(name, body),
  async place() {
    const folder = await Deno.makeTempDir({ prefix: "flotilla-" });
    let state = join(folder, "0");
    return {
      get options() {
        return { kind: "sqlite" as const, folder: state };
      },
      async loseTail(bytes) {
        // A copy of the files as they are: the process that has them open is past.
        const copy = join(folder, `${Number(state.at(-1)) + 1}`);
        await copyFolder(state, copy);
        const log = join(copy, "flotilla.db-wal");
        const size = await Deno.stat(log).then(({ size }) => size, () => 0);
        if (size > 0) await Deno.truncate(log, Math.max(0, size - bytes));
        state = copy;
      },
      [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
    };
  },
});

testEndurance({
  name: "redis",
  blobs: { bytes: 128 * MIB, growth: 200 * MIB },
  test: redisTest,
  async place() {
    // Compacting the log while it grows by this much holds up Redis for seconds on a slow disk.
    const server = await RedisServer.start("--auto-aof-rewrite-percentage", "0");
    return {
      options: { kind: "redis", hostname: "127.0.0.1", port: server.port },
      async loseTail(bytes) {
        await server.stop();
        await server.cutLog(bytes);
        await server.start();
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
});

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(join(from, name), join(to, name));
    else await Deno.copyFile(join(from, name), join(to, name));
  }
}
