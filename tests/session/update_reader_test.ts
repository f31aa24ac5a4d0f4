import assert from "node:assert/strict";
import { encodeWeights } from "../../src/core/weights.ts";
import { updateReader } from "../../src/session/update_reader.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import type { Update } from "../../src/aggregation/aggregator.ts";
import { safetensors } from "../fixtures/safetensors.ts";
import { LAYOUT } from "./world.ts";

function updateWith(weights: string): Update {
  return { client: { id: "u1", name: "c_1" }, round: 1, group: null, weights, samples: 1 };
}

Deno.test("updateReader() reads any range of floats, also behind a header of odd length", async () => {
  const { blobs } = openMemoryStore();
  const foreign = safetensors({ a: { dtype: "F32", shape: [3], data_offsets: [0, 12] } }, [
    1,
    2,
    3,
  ]);
  assert.notEqual((foreign.length - 12) % 4, 0);
  const own = encodeWeights({ layout: LAYOUT, values: new Float32Array([1, 2, 3]) }).bytes;
  const read = updateReader(blobs);
  for (const bytes of [own, foreign]) {
    const update = updateWith((await blobs.put(bytes)).id);
    assert.deepEqual([...await read(update, 0, 3)], [1, 2, 3]);
    assert.deepEqual([...await read(update, 1, 2)], [2]);
    assert.deepEqual([...await read(update, 3, 3)], []);
  }
});

Deno.test("updateReader() says whose update is gone", async () => {
  const { blobs } = openMemoryStore();
  const { id } = await blobs.put(
    encodeWeights({ layout: LAYOUT, values: new Float32Array(3) }).bytes,
  );
  const read = updateReader(blobs);
  const message = `Cannot read the update ${id} of c_1: it is gone`;
  await read(updateWith(id), 0, 1);
  await blobs.delete(id);
  await assert.rejects(read(updateWith(id), 1, 2), { name: "SessionFailedError", message });
  await assert.rejects(updateReader(blobs)(updateWith(id), 0, 1), { message });
});

Deno.test("updateReader() fills what it is given and refuses an update that ends too early", async () => {
  const { blobs } = openMemoryStore();
  const { bytes } = encodeWeights({ layout: LAYOUT, values: new Float32Array([1, 2, 3]) });
  const read = updateReader(blobs);
  const into = new Float32Array(2);
  const whole = updateWith((await blobs.put(bytes)).id);
  assert.equal(await read(whole, 1, 3, into), into);
  assert.deepEqual([...into], [2, 3]);
  const { id } = await blobs.put(bytes.subarray(0, bytes.length - 4));
  await assert.rejects(read(updateWith(id), 1, 3, into), {
    name: "SessionFailedError",
    message: `Cannot read the update ${id} of c_1: it is 4 bytes too short`,
  });
});
