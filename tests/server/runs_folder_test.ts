import assert from "node:assert/strict";
import { join } from "node:path";
import { FileAccessError } from "../../src/core/errors.ts";
import { encodeWeights } from "../../src/core/weights.ts";
import { weightsId } from "../../src/core/weights_id.ts";
import { RunsFolder } from "../../src/server/runs_folder.ts";
import type { SessionEntry, SessionEvent } from "../../src/session/events.ts";
import { fold } from "../../src/session/state.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import { TOPOLOGY } from "../fixtures/fake_trainer.ts";
import { failedRun, finishedRun, SESSION } from "../fixtures/recorded_run.ts";
import { diskTest, SmallDisk } from "../fixtures/small_disk.ts";
import { inTempFolder } from "../fixtures/temp_folder.ts";
import { LAYOUT } from "../session/world.ts";

const WEIGHTS = encodeWeights({ layout: LAYOUT, values: new Float32Array([1, 2, 3]) }).bytes;
const MODEL = {
  initial: {
    weights: WEIGHTS,
    layout: LAYOUT,
    topology: TOPOLOGY,
    inputShape: [2],
    outputShape: [1],
  },
  weights: WEIGHTS,
};

/** A folder of runs whose journal holds all of a run but its last entry. */
async function keeper(folder: string, entries: readonly SessionEntry[]) {
  const { journal } = openMemoryStore();
  const events: SessionEvent[] = entries.slice(0, -1).map(({ event }) => event);
  await journal.append(SESSION, 0, events);
  const runs = new RunsFolder({
    folder,
    journal,
    context: { arithmetic: { training: "tests" }, versions: { flotilla: "0" } },
    modelFiles: (topology) => ({ files: { "model.json": JSON.stringify(topology) } }),
  });
  const save = (model: typeof MODEL | null) => runs.save(fold(entries)!, entries.at(-1)!, model);
  return { runs, save };
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.map(({ name }) => name).sort();
}

Deno.test("RunsFolder.save() writes a run's folder, with the entry that is not journalled yet", async () => {
  await inTempFolder(async (root) => {
    const { runs, save } = await keeper(join(root, "runs"), finishedRun);
    assert.equal(runs.folderOf(SESSION), null);
    await save(MODEL);
    const folder = join(root, "runs", SESSION);
    assert.equal(runs.folderOf(SESSION), folder);
    assert.deepEqual(await filesIn(folder), [
      "accuracy.svg",
      "log.jsonl",
      "model",
      "model.safetensors",
      "results.csv",
      "results.json",
    ]);
    const log = (await Deno.readTextFile(join(folder, "log.jsonl"))).trimEnd().split("\n");
    assert.equal(log.length, finishedRun.length);
    assert.equal(JSON.parse(log.at(-1)!).event.type, "session_finished");
    assert.equal(
      weightsId(await Deno.readFile(join(folder, "model.safetensors"))),
      weightsId(WEIGHTS),
    );
    const results = JSON.parse(await Deno.readTextFile(join(folder, "results.json")));
    assert.equal(results.status, "finished");
  });
});

Deno.test("RunsFolder.save() writes no model for a run in which no round has finished", async () => {
  await inTempFolder(async (root) => {
    const { runs, save } = await keeper(root, failedRun);
    await save(MODEL);
    const folder = runs.folderOf(SESSION)!;
    assert.deepEqual(await filesIn(folder), [
      "accuracy.svg",
      "log.jsonl",
      "results.csv",
      "results.json",
    ]);
    const results = JSON.parse(await Deno.readTextFile(join(folder, "results.json")));
    assert.deepEqual([results.status, results.final], ["failed", null]);
  });
});

Deno.test("RunsFolder.checkWritable() makes the folder and leaves nothing in it", async () => {
  await inTempFolder(async (root) => {
    const { runs } = await keeper(join(root, "a", "runs"), failedRun);
    await runs.checkWritable();
    assert.deepEqual(await filesIn(join(root, "a", "runs")), []);
  });
});

Deno.test("RunsFolder refuses a place that cannot hold folders, and names it", async () => {
  await inTempFolder(async (root) => {
    await Deno.writeTextFile(join(root, "runs"), "a file");
    const { runs, save } = await keeper(join(root, "runs"), failedRun);
    await assert.rejects(runs.checkWritable(), (error) => {
      assert.ok(error instanceof FileAccessError);
      assert.ok(error.message.includes(join(root, "runs")), error.message);
      return true;
    });
    await assert.rejects(save(MODEL), FileAccessError);
    assert.equal(runs.folderOf(SESSION), null);
  });
});

diskTest("RunsFolder refuses a read-only folder", async () => {
  using disk = SmallDisk.mount(64);
  const { runs, save } = await keeper(join(disk.path, "runs"), failedRun);
  await runs.checkWritable();
  disk.makeReadOnly();
  for (const attempt of [() => runs.checkWritable(), () => save(MODEL)]) {
    await assert.rejects(attempt(), {
      name: "FileAccessError",
      message: /file system is read-only/,
    });
  }
  assert.equal(runs.folderOf(SESSION), null);
});
