import assert from "node:assert/strict";
import { join } from "node:path";
import { KeptResults } from "../../src/client/kept_results.ts";
import { silentLogger } from "../../src/log/log.ts";
import { bytesOf, jobOf, updateOf } from "../contract/edge_fake.ts";
import { inTempFolder } from "../fixtures/temp_folder.ts";

const WEIGHTS = "cd".repeat(32);

function jobOfRound(round: number, session = "one") {
  return jobOf(WEIGHTS, { round, session });
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(join(folder, "results")));
  return entries.map(({ name }) => join(folder, "results", name));
}

Deno.test("KeptResults gives a result of an earlier process to the same job and to no other", async () => {
  await inTempFolder(async (folder) => {
    const update = updateOf(bytesOf(1000));
    await (await KeptResults.open(folder, silentLogger)).keep(jobOfRound(1), update);
    const results = await KeptResults.open(folder, silentLogger);
    const found = await results.find(jobOfRound(1));
    assert.deepEqual(found!.header, update.header);
    assert.deepEqual(new Uint8Array(found!.bytes), update.bytes);
    assert.equal(await results.find(jobOfRound(2)), null);
    assert.equal(await results.find(jobOfRound(1, "two")), null);
    assert.equal(await results.find({ ...jobOfRound(1), seed: 1 }), null);
  });
});

Deno.test("KeptResults.find() drops a file that is cut or changed at any place", async () => {
  await inTempFolder(async (folder) => {
    const results = await KeptResults.open(folder, silentLogger);
    const update = updateOf(bytesOf(100));
    await results.keep(jobOfRound(1), update);
    const [path] = await filesIn(folder);
    const whole = await Deno.readFile(path!);
    for (let cut = 0; cut < whole.length; cut += 7) {
      await results.keep(jobOfRound(1), update);
      await Deno.writeFile(path!, whole.subarray(0, cut));
      assert.equal(await results.find(jobOfRound(1)), null, `cut at ${cut}`);
      await results.keep(jobOfRound(1), update);
      await Deno.writeFile(path!, whole.map((byte, i) => i === cut ? byte ^ 1 : byte));
      assert.equal(await results.find(jobOfRound(1)), null, `changed at ${cut}`);
      assert.deepEqual(await filesIn(folder), []);
    }
  });
});

Deno.test("KeptResults.release() drops a session's results but that of one job", async () => {
  await inTempFolder(async (folder) => {
    const results = await KeptResults.open(folder, silentLogger);
    const update = updateOf(bytesOf(10));
    await results.keep(jobOfRound(1), update);
    await results.keep(jobOfRound(2), update);
    await results.keep(jobOfRound(1, "two"), update);
    await results.release("one", jobOfRound(2));
    assert.equal(await results.find(jobOfRound(1)), null);
    assert.notEqual(await results.find(jobOfRound(2)), null);
    await results.release("one");
    assert.equal(await results.find(jobOfRound(2)), null);
    assert.notEqual(await results.find(jobOfRound(1, "two")), null);
    await results.release("two");
    assert.deepEqual(await filesIn(folder), []);
  });
});

Deno.test("KeptResults keeps the last four results of leaders that never ask again", async () => {
  await inTempFolder(async (folder) => {
    const results = await KeptResults.open(folder, silentLogger);
    for (const n of [1, 2, 3, 4, 5]) {
      await results.keep(jobOfRound(1, `session ${n}`), updateOf(bytesOf(n)));
    }
    assert.equal((await filesIn(folder)).length, 4);
    assert.equal(await results.find(jobOfRound(1, "session 1")), null);
    assert.notEqual(await results.find(jobOfRound(1, "session 2")), null);
  });
});

Deno.test("KeptResults.open() drops what no leader has asked for in a week", async () => {
  await inTempFolder(async (folder) => {
    await (await KeptResults.open(folder, silentLogger)).keep(jobOfRound(1), updateOf(bytesOf(9)));
    const days = (n: number) => Date.now() + n * 24 * 3600 * 1000;
    await KeptResults.open(folder, silentLogger, days(6));
    assert.equal((await filesIn(folder)).length, 1);
    await KeptResults.open(folder, silentLogger, days(8));
    assert.deepEqual(await filesIn(folder), []);
  });
});

Deno.test("KeptResults.open() clears what a crash has left half written", async () => {
  await inTempFolder(async (folder) => {
    await Deno.mkdir(join(folder, "results"));
    await Deno.writeFile(join(folder, "results", ".1234.tmp"), new Uint8Array(3));
    await KeptResults.open(folder, silentLogger);
    assert.deepEqual(await filesIn(folder), []);
  });
});
