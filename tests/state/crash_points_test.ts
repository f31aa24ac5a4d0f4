/**
 * A fault at every single step that changes the disk: a failing operation, a death there, a loss of
 * power that takes what was not flushed, and a journal whose last bytes are gone.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { FileAccessError } from "../../src/core/errors.ts";
import { weightsId } from "../../src/core/weights_id.ts";
import { writeFileAtomically } from "../../src/state/atomic_file.ts";
import { BlobFolder } from "../../src/state/blob_folder.ts";
import { openSqliteStore } from "../../src/state/sqlite.ts";
import { FaultyFiles, type FaultyOptions } from "../fixtures/faulty_files.ts";
import { inTempFolder } from "../fixtures/temp_folder.ts";

const OLD = "old ".repeat(50);
const NEW = "new text ".repeat(50);
/** More than a bound on the steps of any of the tested calls. */
const MANY = 100;

Deno.test("writeFileAtomically() leaves the old file or the new one, wherever it fails or dies", async () => {
  for (const fault of ["error", "crash"] as const) {
    const steps = await atEveryStep(fault, async (files, folder) => {
      const path = join(folder, "kept", "results.json");
      await writeFileAtomically(path, OLD);
      const failure = await outcome(writeFileAtomically(path, inParts(NEW), files));
      await files.losePower();
      const content = await Deno.readTextFile(path);
      assert.ok(content === OLD || content === NEW, `${content.length} bytes of neither`);
      if (failure === null) assert.equal(content, NEW);
      else {
        assert.ok(failure instanceof FileAccessError, String(failure));
        assert.match(failure.message, /kept/);
      }
      const others = namesIn(join(folder, "kept")).filter((name) => name !== "results.json");
      // A death leaves at most a file whose name says what it is; a mere error nothing.
      assert.deepEqual(others.filter((name) => !name.endsWith(".tmp")), []);
      if (fault === "error") assert.deepEqual(others, []);
    });
    // Folder, creation, three parts, flush, rename, flush of the folder.
    assert.equal(steps, 8, "not every step was tried");
  }
});

Deno.test("put() leaves a whole blob or none, wherever it fails or dies, and the next start clears the rest", async () => {
  for (const fault of ["error", "crash"] as const) {
    const steps = await atEveryStep(fault, async (files, folder) => {
      const before = await BlobFolder.open(folder);
      const [kept, gone] = [await before.put(bytesOf("kept")), await before.put(bytesOf("gone"))];
      before.close();

      const id = weightsId(bytesOf(NEW));
      const blobs = await outcome(BlobFolder.open(folder, files));
      if (blobs instanceof BlobFolder) {
        await outcome(blobs.put(inParts(NEW)));
        await outcome(blobs.delete(gone.id));
        blobs.close();
      }
      await files.losePower();

      const after = await BlobFolder.open(folder);
      try {
        assert.deepEqual(await after.get(kept.id), bytesOf("kept"));
        for (const stored of await after.ids()) {
          assert.equal(weightsId((await after.get(stored))!), stored, "a blob with other bytes");
        }
        const temporary = namesIn(folder).filter((name) => name.endsWith(".tmp"));
        assert.deepEqual(temporary, [], "the start has not cleared these");
        await after.put(bytesOf(NEW));
        assert.deepEqual(await after.get(id), bytesOf(NEW));
      } finally {
        after.close();
      }
    });
    // Folder, creation, one piece, flush, rename, flush of the folder, removal.
    assert.equal(steps, 7, "not every step was tried");
  }
});

Deno.test("put() can be repeated in the same process after any failure", async () => {
  await atEveryStep("error", async (files, folder) => {
    const blobs = await outcome(BlobFolder.open(folder, files));
    if (!(blobs instanceof BlobFolder)) return;
    try {
      const failure = await outcome(blobs.put(bytesOf(NEW)));
      if (!files.failed) return;
      assert.ok(failure instanceof FileAccessError, String(failure));
      const { id } = await blobs.put(bytesOf(NEW));
      assert.deepEqual(await blobs.get(id), bytesOf(NEW));
      assert.deepEqual(namesIn(folder).filter((name) => name.endsWith(".tmp")), []);
    } finally {
      blobs.close();
    }
  });
});

Deno.test("openSqliteStore() opens a journal whose last bytes are cut off or garbled, up to its last whole append", async () => {
  await inTempFolder(async (folder) => {
    const origin = join(folder, "origin");
    const store = await openSqliteStore(origin);
    const appended = [];
    for (let seq = 0; seq < 30; seq++) {
      appended.push(
        ...await store.journal.append("run", seq, [{ type: "a", text: "x".repeat(seq * 40) }]),
      );
    }
    // As a death leaves it: closed in order there would be no write-ahead log any more.
    const database = await Deno.readFile(join(origin, "flotilla.db"));
    const log = await Deno.readFile(join(origin, "flotilla.db-wal"));
    await store.close();
    assert.ok(log.length > 50_000, `${log.length} bytes in the log`);

    let [shortest, longest] = [Infinity, 0];
    for (let lost = 0; lost <= log.length; lost = lost < 40 ? lost + 1 : lost + 997) {
      for (const tail of ["cut", "garbled"] as const) {
        const place = join(folder, `${lost}_${tail}`);
        await Deno.mkdir(place);
        await Deno.writeFile(join(place, "flotilla.db"), database);
        const left = tail === "cut"
          ? log.subarray(0, log.length - lost)
          : log.slice().fill(0xa5, log.length - lost);
        await Deno.writeFile(join(place, "flotilla.db-wal"), left);
        const again = await openSqliteStore(place);
        const entries = await again.journal.read("run");
        assert.deepEqual(entries, appended.slice(0, entries.length), `${lost} bytes ${tail}`);
        await again.journal.append("run", entries.length, [{ type: "b" }]);
        assert.equal((await again.journal.read("run")).length, entries.length + 1);
        await again.close();
        await Deno.remove(place, { recursive: true });
        [shortest, longest] = [
          Math.min(shortest, entries.length),
          Math.max(longest, entries.length),
        ];
      }
    }
    assert.deepEqual([shortest, longest], [0, 30]);
  });
});

/**
 * Runs `body` once for each step that it takes, with a fault at that step, and once without.
 *
 * @returns the number of steps
 */
async function atEveryStep(
  fault: FaultyOptions["fault"],
  body: (files: FaultyFiles, folder: string) => Promise<void>,
): Promise<number> {
  for (let at = 0; at < MANY; at++) {
    const files = new FaultyFiles({ at, fault });
    try {
      await inTempFolder((folder) => body(files, folder));
    } catch (error) {
      throw new Error(`with ${fault} at step ${at} of ${files.operations.join(", ")}: ${error}`);
    }
    if (!files.failed) return files.operations.length;
  }
  throw new Error(`There are more than ${MANY} steps`);
}

/** What a call throws, or gives; null for nothing. */
async function outcome<T>(call: Promise<T>): Promise<T | Error | null> {
  try {
    return await call ?? null;
  } catch (error) {
    return error as Error;
  }
}

/** The text's bytes in three parts. */
async function* inParts(text: string): AsyncGenerator<Uint8Array> {
  const bytes = bytesOf(text);
  for (const part of [0, 1, 2]) {
    yield await Promise.resolve(
      bytes.subarray(part * 100, part === 2 ? undefined : (part + 1) * 100),
    );
  }
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name);
}
