import assert from "node:assert/strict";
import { join } from "node:path";
import { isSource, sourceChanges } from "../../tools/source_changes.ts";

Deno.test("isSource() is main.ts and what src and proto hold", () => {
  for (const file of ["main.ts", "src/core/ids.ts", "proto/flotilla/v1/client.proto"]) {
    assert.ok(isSource(file), file);
  }
  for (const file of ["tools/dev.ts", "src/NOTES.md", "src/core/.ids.ts.swp", "deno.json"]) {
    assert.ok(!isSource(file), file);
  }
});

Deno.test("sourceChanges() yields a burst once, keeps what comes meanwhile, ends when aborted", async () => {
  const root = await Deno.makeTempDir({ prefix: "flotilla_changes_" });
  const interrupted = new AbortController();
  try {
    for (const folder of ["src/core", "proto"]) {
      await Deno.mkdir(join(root, folder), { recursive: true });
    }
    const changes = sourceChanges(root, interrupted.signal, 100);
    const burst = changes.next();
    for (const file of ["main.ts", "src/core/ids.ts", "README.md"]) {
      await Deno.writeTextFile(join(root, file), "changed");
    }
    assert.deepEqual((await burst).value, ["main.ts", "src/core/ids.ts"]);
    await Deno.writeTextFile(join(root, "proto/a.proto"), "changed");
    assert.deepEqual((await changes.next()).value, ["proto/a.proto"]);
    const last = changes.next();
    interrupted.abort();
    assert.equal((await last).done, true);
  } finally {
    interrupted.abort();
    await Deno.remove(root, { recursive: true });
  }
});
