/** Files that appear whole or not at all. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { FileAccessError } from "../../src/core/errors.ts";
import { writeFileAtomically } from "../../src/state/atomic_file.ts";
import { diskTest, SmallDisk } from "../fixtures/small_disk.ts";

Deno.test("writeFileAtomically() writes text, bytes and streams, and replaces the file", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "results.json");
    await writeFileAtomically(path, "größe");
    assert.equal(await Deno.readTextFile(path), "größe");
    await writeFileAtomically(path, new Uint8Array([1, 2]));
    assert.deepEqual(await Deno.readFile(path), new Uint8Array([1, 2]));
    await writeFileAtomically(path, parts("one ", "", "two"));
    assert.equal(await Deno.readTextFile(path), "one two");
    assert.deepEqual(namesIn(folder), ["results.json"]);
  });
});

Deno.test("writeFileAtomically() makes the folders that are missing", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "runs", "1", "log.jsonl");
    await writeFileAtomically(path, "");
    assert.equal(await Deno.readTextFile(path), "");
  });
});

Deno.test("writeFileAtomically() keeps the old file when the source fails", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "results.json");
    await writeFileAtomically(path, "old");
    async function* broken() {
      yield* parts("new");
      throw new Error("cut off");
    }
    await assert.rejects(writeFileAtomically(path, broken()), { message: "cut off" });
    assert.equal(await Deno.readTextFile(path), "old");
    assert.deepEqual(namesIn(folder), ["results.json"]);
  });
});

Deno.test("writeFileAtomically() shows readers the old file until the new one is whole", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "results.json");
    await writeFileAtomically(path, "old");
    let seen = "";
    async function* watched() {
      yield* parts("new");
      seen = await Deno.readTextFile(path);
    }
    await writeFileAtomically(path, watched());
    assert.deepEqual([seen, await Deno.readTextFile(path)], ["old", "new"]);
  });
});

Deno.test("writeFileAtomically() names a path that is a folder, or lies in a file", async () => {
  await inFolder(async (folder) => {
    const file = join(folder, "file");
    await writeFileAtomically(file, "");
    await rejectsSaying(
      writeFileAtomically(folder, ""),
      `Cannot write "${folder}" as it is a folder: name a file in it`,
    );
    await rejectsSaying(
      writeFileAtomically(join(file, "results.json"), ""),
      `Cannot create folder "${file}" as a file of that name exists where a folder is needed: ` +
        "move the file away, or choose another folder",
    );
    assert.deepEqual(namesIn(folder), ["file"]);
  });
});

diskTest("writeFileAtomically() says that the disk is full and keeps the old file", async () => {
  using disk = SmallDisk.mount(64);
  const path = join(disk.path, "results.json");
  await writeFileAtomically(path, "old");
  await rejectsSaying(
    writeFileAtomically(path, new Uint8Array(100_000)),
    `Cannot write "${path}" as no space is left on the device: ` +
      "free some, or choose a folder on another disk",
  );
  assert.equal(await Deno.readTextFile(path), "old");
  assert.deepEqual(namesIn(disk.path), ["results.json"]);
});

diskTest("writeFileAtomically() says that the file system is read-only", async () => {
  using disk = SmallDisk.mount(64);
  disk.makeReadOnly();
  const path = join(disk.path, "results.json");
  await rejectsSaying(
    writeFileAtomically(path, ""),
    `Cannot write "${path}" as the file system is read-only: choose another folder`,
  );
});

async function rejectsSaying(work: Promise<unknown>, message: string): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof FileAccessError, String(error));
    assert.equal(error.message, message);
    return true;
  });
}

async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name);
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "flotilla-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
