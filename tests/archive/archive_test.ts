import assert from "node:assert/strict";
import { join } from "node:path";
import { Archive, archiveBytes, textMember } from "../../src/archive/archive.ts";
import { exportState, importState } from "../../src/archive/state_archive.ts";
import { ArchiveError } from "../../src/core/errors.ts";
import { writeFileAtomically } from "../../src/state/atomic_file.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import { openSqliteStore } from "../../src/state/sqlite.ts";
import { inTempFolder } from "../fixtures/temp_folder.ts";

const MEMBERS = [textMember("a.txt", "alpha"), textMember("b.txt", "b".repeat(2000))];

/** Writes an archive of two texts, changes its bytes, and gives the error of reading all of it. */
async function readChanged(change: (bytes: Uint8Array) => Uint8Array): Promise<string> {
  let message = "";
  await inTempFolder(async (folder) => {
    const path = join(folder, "x.flotilla");
    await writeFileAtomically(path, archiveBytes("checkpoint", { round: 3 }, MEMBERS));
    await Deno.writeFile(path, change(await Deno.readFile(path)));
    await assert.rejects(
      async () => {
        using archive = await Archive.open(path, "checkpoint");
        await archive.verify();
      },
      (error: Error) => {
        message = error.message;
        return error instanceof ArchiveError;
      },
    );
  });
  return message;
}

/** Replaces a text wherever it stands by one of the same length. */
function replaced(from: string, to: string) {
  return (bytes: Uint8Array) => {
    const text = new TextDecoder("latin1").decode(bytes).replaceAll(from, to);
    return Uint8Array.from(text, (character) => character.charCodeAt(0));
  };
}

Deno.test("Archive gives back what archiveBytes() took, and any tar program can list it", async () => {
  await inTempFolder(async (folder) => {
    const path = join(folder, "x.flotilla");
    await writeFileAtomically(path, archiveBytes("checkpoint", { round: 3 }, MEMBERS));
    using archive = await Archive.open(path, "checkpoint");
    await archive.verify();
    assert.deepEqual(archive.about, { round: 3 });
    assert.equal(await archive.text("a.txt"), "alpha");
    assert.equal(await archive.text("b.txt"), "b".repeat(2000));
    const { stdout } = await new Deno.Command("tar", { args: ["-tf", path] }).output();
    assert.equal(
      new TextDecoder().decode(stdout),
      "flotilla.txt\nmanifest.json\na.txt\nb.txt\n",
    );
  });
});

Deno.test("Archive.open() refuses a file that is cut off, at whatever byte", async () => {
  // A label, a manifest and two members, each behind a header.
  for (const bytes of [600, 1500, 2100, 3000, 5000]) {
    assert.match(await readChanged((all) => all.slice(0, bytes)), /cut off after \d+ bytes/);
  }
});

Deno.test("Archive.open() refuses what is no archive, or another kind", async () => {
  for (const foreign of [new Uint8Array(), new Uint8Array(4096), new Uint8Array(4096).fill(7)]) {
    assert.match(await readChanged(() => foreign), /is not a Flotilla checkpoint/);
  }
  await inTempFolder(async (folder) => {
    const path = join(folder, "state.flotilla");
    await writeFileAtomically(path, archiveBytes("state", {}, MEMBERS));
    await assert.rejects(Archive.open(path, "checkpoint"), {
      name: "ArchiveError",
      message: `Cannot read "${path}" as it is a Flotilla state, not a checkpoint`,
    });
  });
});

Deno.test("Archive.open() refuses a newer version", async () => {
  const message = await readChanged(replaced("flotilla checkpoint 1", "flotilla checkpoint 2"));
  assert.match(message, /a newer Flotilla has written it \(format 2, this one reads 1\)/);
});

Deno.test("Archive finds a change in any of its members, and in its list", async () => {
  assert.match(await readChanged(replaced("alpha", "alphA")), /a\.txt in it has been changed/);
  assert.match(await readChanged(replaced('"round": 3', '"round": 4')), /manifest\.json in it has/);
});

Deno.test("importState() fills an empty store with all that exportState() took, times too", async () => {
  await inTempFolder(async (folder) => {
    const from = openMemoryStore(() => 1234);
    await from.journal.append("one", 0, [{ type: "a" }, { type: "b" }]);
    await from.journal.append("two/../", 0, [{ type: "c" }]);
    const { id } = await from.blobs.put(new Uint8Array(5_000_000).fill(3));
    await from.records.set("key", { deep: [1] });
    const path = join(folder, "state.flotilla");
    const { size, bytes } = await exportState(from, {});
    await writeFileAtomically(path, bytes);
    assert.deepEqual(size, { sessions: 2, blobs: 1, blobBytes: 5_000_000 });

    using archive = await Archive.open(path, "state");
    const to = await openSqliteStore(join(folder, "state"));
    try {
      assert.deepEqual(await importState(archive, to), size);
      assert.deepEqual(await to.journal.sessions(), ["one", "two/../"]);
      assert.deepEqual(await to.journal.read("one"), await from.journal.read("one"));
      assert.deepEqual(await to.blobs.get(id), await from.blobs.get(id));
      assert.deepEqual(await to.records.entries(""), [["key", { deep: [1] }]]);
      await assert.rejects(importState(archive, to), /2 sessions are there already/);
    } finally {
      await to.close();
    }
  });
});
