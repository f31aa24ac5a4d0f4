import fc from "fast-check";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { checkFrameBytes, framesOf, SharedFrames } from "../../src/rpc/frames.ts";

Deno.test("framesOf() cuts bytes into full frames and a rest", () => {
  const lengths = (size: number) => [...framesOf(new Uint8Array(size), 4)].map((f) => f.length);
  assert.deepEqual(lengths(0), []);
  assert.deepEqual(lengths(1), [1]);
  assert.deepEqual(lengths(4), [4]);
  assert.deepEqual(lengths(9), [4, 4, 1]);
});

Deno.test("framesOf() loses and repeats nothing", () => {
  fc.assert(fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 9 }), (bytes, size) => {
    assert(Buffer.concat([...framesOf(bytes, size)]).equals(bytes));
  }));
});

Deno.test("SharedFrames encodes a frame once for transfers that go on together", () => {
  const { frames, encoded } = counting();
  const bytes = new Uint8Array([1, 2, 3, 4, 5]);
  const [a, b] = [frames.join(bytes), frames.join(bytes)];
  const [fromA, fromB] = [[...a.frames], [...b.frames]];
  assert.deepEqual(encoded, ["1,2", "3,4", "5"]);
  fromA.forEach((frame, index) => assert.equal(frame, fromB[index]));
});

Deno.test("SharedFrames drops a frame that all have taken", () => {
  const { frames, encoded } = counting();
  const bytes = new Uint8Array([1, 2]);
  const first = frames.join(bytes);
  assert.equal([...first.frames].length, 1);
  const second = frames.join(bytes);
  assert.equal([...second.frames].length, 1);
  assert.deepEqual(encoded, ["1,2", "1,2"]);
});

Deno.test("SharedFrames forgets bytes when the last transfer leaves", () => {
  const { frames, encoded } = counting();
  const bytes = new Uint8Array([1, 2]);
  const [a, b] = [frames.join(bytes), frames.join(bytes)];
  assert.equal([...a.frames].length, 1);
  a.leave();
  a.leave();
  assert.equal([...b.frames].length, 1);
  b.leave();
  assert.equal([...frames.join(bytes).frames].length, 1);
  assert.deepEqual(encoded, ["1,2", "1,2"]);
});

Deno.test("SharedFrames does not keep a second model for a transfer that falls behind", () => {
  let encoded = 0;
  const frames = new SharedFrames((frame) => {
    encoded++;
    return Buffer.from(frame);
  }, 1024 * 1024);
  const bytes = new Uint8Array(10 * 1024 * 1024);
  const [ahead, behind] = [frames.join(bytes), frames.join(bytes)];
  assert.equal([...ahead.frames].length, 10);
  assert.equal(encoded, 10);
  // Only the last four, 4 MiB, were kept; so the first are encoded again, and push those out.
  assert.equal([...behind.frames].length, 10);
  assert(encoded > 10);
});

Deno.test("checkFrameBytes() allows 1 byte to 1 MiB", () => {
  assert.equal(checkFrameBytes(1), 1);
  assert.equal(checkFrameBytes(1048576), 1048576);
  for (const bad of [0, -1, 1.5, NaN, 1048577]) {
    assert.throws(() => checkFrameBytes(bad), RangeError);
  }
});

/** Frames of two bytes, and the text of each that was encoded. */
function counting() {
  const encoded: string[] = [];
  const frames = new SharedFrames((frame) => {
    encoded.push(frame.join());
    return Buffer.from(frame);
  }, 2);
  return { frames, encoded };
}
