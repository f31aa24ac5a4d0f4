/** The SQLite store against the contract, and what files and other processes can do to it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FileAccessError } from "../../src/core/errors.ts";
import { openSqliteStore } from "../../src/state/sqlite.ts";
import { testStore } from "../contract/store_suite.ts";
import { diskTest, SmallDisk } from "../fixtures/small_disk.ts";

testStore({
  name: "sqlite",
  keeps: true,
  test: (name, body) => Deno.test(name, body),
  async place() {
    const folder = await Deno.makeTempDir({ prefix: "flotilla-" });
    return {
      open: () => openSqliteStore(folder),
      leftovers: () => temporaryFiles(folder),
      [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
    };
  },
});

const EVENT = { type: "a" };

Deno.test("openSqliteStore() makes its folder and says where it is", async () => {
  await inFolder(async (folder) => {
    const store = await openSqliteStore(join(folder, "a", "state"));
    await store.close();
    assert.equal(store.description, `sqlite at ${join(folder, "a", "state", "flotilla.db")}`);
  });
});

Deno.test("openSqliteStore() sweeps temporary files that a crash has left", async () => {
  await inFolder(async (folder) => {
    await (await openSqliteStore(folder)).close();
    await Deno.writeTextFile(join(folder, "blobs", "half.tmp"), "half");
    await (await openSqliteStore(folder)).close();
    assert.deepEqual(await temporaryFiles(folder), []);
  });
});

Deno.test("openSqliteStore() leaves a temporary file that another store is writing", async () => {
  await inFolder(async (folder) => {
    const store = await openSqliteStore(folder);
    async function* interrupted() {
      yield new TextEncoder().encode("a");
      await (await openSqliteStore(folder)).close();
      yield new TextEncoder().encode("bc");
    }
    const { id } = await store.blobs.put(interrupted());
    assert.deepEqual(await store.blobs.get(id), new TextEncoder().encode("abc"));
    await store.close();
  });
});

Deno.test("openSqliteStore() names a folder that is a file, or lies in one", async () => {
  await inFolder(async (folder) => {
    const file = join(folder, "state");
    await Deno.writeTextFile(file, "");
    await rejectsSaying(openSqliteStore(file), "Cannot create folder", file, "move the file away");
    const below = join(file, "below");
    await rejectsSaying(openSqliteStore(below), "Cannot create folder", below, "choose another");
  });
});

Deno.test("openSqliteStore() names a database that is damaged, and leaves it alone", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "flotilla.db");
    const text = "This is no database. ".repeat(100);
    await Deno.writeTextFile(path, text);
    await rejectsSaying(openSqliteStore(folder), "Cannot open", path, "damaged", "move it away");
    assert.equal(await Deno.readTextFile(path), text);
  });
});

Deno.test("openSqliteStore() names a database that is a folder", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "flotilla.db");
    await Deno.mkdir(path);
    await rejectsSaying(openSqliteStore(folder), "Cannot open", path, "choose another folder");
  });
});

Deno.test("openSqliteStore() refuses a database of a newer format", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "flotilla.db");
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 2");
    database.close();
    await rejectsSaying(openSqliteStore(folder), "Cannot open", path, "newer", "format 2");
  });
});

Deno.test("read() names a database that was damaged behind its header", async () => {
  await inFolder(async (folder) => {
    const store = await openSqliteStore(folder);
    await store.journal.append("run", 0, Array(2000).fill(EVENT));
    await store.close();
    const path = join(folder, "flotilla.db");
    const bytes = await Deno.readFile(path);
    await Deno.writeFile(path, bytes.fill(0x55, 3 * 4096));
    const damaged = await openSqliteStore(folder);
    await rejectsSaying(damaged.journal.read("run"), "Cannot read", path, "damaged");
    await damaged.close();
  });
});

Deno.test("append() says that the store has been closed", async () => {
  await inFolder(async (folder) => {
    const store = await openSqliteStore(folder);
    await store.close();
    await rejectsSaying(store.journal.append("run", 0, [EVENT]), "closed", "open it again");
  });
});

diskTest("openSqliteStore() names a folder that cannot be written", async () => {
  using disk = SmallDisk.mount(1000);
  await (await openSqliteStore(join(disk.path, "old"))).close();
  disk.makeReadOnly();
  const [fresh, old] = [join(disk.path, "new"), join(disk.path, "old", "flotilla.db")];
  await rejectsSaying(openSqliteStore(fresh), "Cannot create folder", fresh, "read-only");
  await rejectsSaying(openSqliteStore(join(disk.path, "old")), "Cannot open", old, "writ");
});

diskTest(
  "put() and append() say that the disk is full, and go on when it no longer is",
  async () => {
    using disk = SmallDisk.mount(1000);
    const blobs = join(disk.path, "blobs");
    const store = await openSqliteStore(disk.path);
    try {
      await rejectsSaying(store.blobs.put(new Uint8Array(2_000_000)), blobs, "no space is left");
      assert.deepEqual(await temporaryFiles(disk.path), []);
      const large = { type: "a", text: "x".repeat(2_000_000) };
      await rejectsSaying(store.journal.append("run", 0, [EVENT, large]), "flotilla.db", "space");
      assert.deepEqual(await store.journal.read("run"), []);
      assert.equal((await store.journal.append("run", 0, [EVENT])).length, 1);
    } finally {
      await store.close();
    }
  },
);

Deno.test("append() survives that its process is killed at once", async () => {
  await inFolder(async (folder) => {
    const { signal } = await inProcess(
      folder,
      `await store.journal.append("run", 0, [{ type: "a" }, { type: "b" }]);
       const { id } = await store.blobs.put(new Uint8Array(3));
       await store.records.set("blob", id);
       await store.blobs.put((async function* () {
         yield new Uint8Array(500_000);
         Deno.kill(Deno.pid, "SIGKILL");
         await new Promise(() => {});
       })());`,
    );
    assert.equal(signal, "SIGKILL");
    assert.equal((await temporaryFiles(folder)).length, 1);
    const store = await openSqliteStore(folder);
    assert.deepEqual((await store.journal.read("run")).map(({ seq }) => seq), [1, 2]);
    assert.equal(await store.blobs.has(String(await store.records.get("blob"))), true);
    assert.deepEqual(await temporaryFiles(folder), []);
    await store.close();
  });
});

Deno.test("append() of two processes at once loses and doubles nothing", async () => {
  await inFolder(async (folder) => {
    const writer = `
      for (let own = 0; own < 200;) {
        const seq = (await store.journal.read("run")).length;
        try {
          await store.journal.append("run", seq, [{ type: String(Deno.pid), own }]);
          own++;
        } catch (error) {
          if (error.name !== "StaleSequenceError") throw error;
        }
      }`;
    const outcomes = await Promise.all([inProcess(folder, writer), inProcess(folder, writer)]);
    assert.deepEqual(outcomes.map(({ code }) => code), [0, 0]);
    const store = await openSqliteStore(folder);
    const entries = await store.journal.read("run");
    await store.close();
    assert.equal(entries.length, 400);
    const byWriter = Map.groupBy(entries, ({ event }) => event.type);
    assert.equal(byWriter.size, 2);
    for (const own of byWriter.values()) {
      const order = own.map(({ event }) => (event as unknown as { own: number }).own);
      assert.deepEqual(order, Array.from({ length: 200 }, (_, i) => i));
    }
  });
});

Deno.test("openSqliteStore() of two processes at once makes one database", async () => {
  await inFolder(async (folder) => {
    // Each waits for the other before each database, so that both make it at once.
    const maker = (own: number) => `
      const mark = (name) => ${JSON.stringify(folder)} + "/" + name;
      for (let i = 0; i < 40; i++) {
        Deno.writeTextFileSync(mark("${own} " + i), "");
        const end = performance.now() + 5000;
        while (!existsSync(mark("${1 - own} " + i))) {
          if (performance.now() > end) Deno.exit(2);
        }
        await (await openSqliteStore(mark(i))).close();
      }`;
    const outcomes = await Promise.all([0, 1].map((own) => inProcess(folder, maker(own))));
    assert.deepEqual(outcomes.map(({ code }) => code), [0, 0]);
  });
});

/** Runs code in a process of its own, `store` being the store of the folder. */
async function inProcess(folder: string, code: string): Promise<Deno.CommandStatus> {
  const module = import.meta.resolve("../../src/state/sqlite.ts");
  const prelude = `import { existsSync } from "node:fs";
    import { openSqliteStore } from ${JSON.stringify(module)};
    const store = await openSqliteStore(${JSON.stringify(folder)});`;
  return await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", `${prelude}\n${code}\nawait store.close();`],
    stdout: "null",
    stderr: "inherit",
  }).output();
}

async function temporaryFiles(folder: string): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(join(folder, "blobs")), ({ name }) => name);
  return names.filter((name) => !/^([0-9a-f]{64}|\.lock)$/.test(name));
}

/** Expects a {@link FileAccessError} whose message has all the parts. */
async function rejectsSaying(work: Promise<unknown>, ...parts: string[]): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof FileAccessError, String(error));
    for (const part of parts) assert.ok(error.message.includes(part), error.message);
    return true;
  });
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "flotilla-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
