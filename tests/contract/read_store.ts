/** A process of its own that reads a store and appends to it: `read_store.ts OPTIONS BLOB`. */
import { openStore } from "../../src/state/open.ts";
import type { StoreOptions } from "../../src/state/store.ts";

const [options, blob] = Deno.args;
const store = await openStore(JSON.parse(options!) as StoreOptions);
const entries = await store.journal.read("run");
await store.journal.append("run", entries.length, [{ type: "from elsewhere" }]);
console.log(JSON.stringify({
  entries,
  blob: new TextDecoder().decode((await store.blobs.get(blob!))!),
  record: await store.records.get("key"),
}));
await store.close();
