/** Streams of a server that has gone. */
import assert from "node:assert/strict";
import { unlessSilent } from "../../src/cli/silence.ts";

const silent = () => new Error("silent");

/** A body that brings these bytes, then nothing, and ends or not. */
function bodyOf(bytes: readonly number[], ends: boolean, onCancel = () => {}) {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
      if (ends) controller.close();
    },
    cancel: onCancel,
  });
}

async function read(stream: AsyncIterable<Uint8Array>, into: number[]): Promise<void> {
  for await (const [byte] of stream) into.push(byte!);
}

Deno.test("unlessSilent() passes on what comes in time", async () => {
  const seen: number[] = [];
  await read(unlessSilent(bodyOf([1, 2], true), 10_000, silent), seen);
  assert.deepEqual(seen, [1, 2]);
});

Deno.test("unlessSilent() breaks off a body that has gone silent, and lets go of it", async () => {
  const seen: number[] = [];
  let isCancelled = false;
  const body = bodyOf([1], false, () => isCancelled = true);
  await assert.rejects(read(unlessSilent(body, 50, silent), seen), /silent/);
  assert.deepEqual([seen, isCancelled], [[1], true]);
});
