import assert from "node:assert/strict";
import { join } from "node:path";
import { BlobFolder } from "../../src/state/blob_folder.ts";
import { inTempFolder } from "../fixtures/temp_folder.ts";

Deno.test("BlobFolder.ids() lists blobs in the order in which they were stored, and nothing else", async () => {
  await inTempFolder(async (folder) => {
    const blobs = await BlobFolder.open(folder);
    assert.deepEqual(await blobs.ids(), []);
    const ids: string[] = [];
    for (const byte of [1, 2, 3]) ids.push((await blobs.put(new Uint8Array([byte]))).id);
    // The second one is the oldest, the first one the newest.
    for (const [i, second] of [30, 10, 20].entries()) {
      await Deno.utime(join(folder, ids[i]!), second, second);
    }
    await Deno.writeTextFile(join(folder, "notes.txt"), "not a blob");
    assert.deepEqual(await blobs.ids(), [ids[1], ids[2], ids[0]]);
    blobs.close();
  });
});
