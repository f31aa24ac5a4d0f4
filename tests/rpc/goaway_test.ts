import fc from "fast-check";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { FrameFilter } from "../../src/rpc/goaway.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A frame of the given type, its payload filled with the type. */
function frame(type: number, length: number): Buffer {
  const header = Buffer.from([length >> 16, length >> 8, length, type, 0, 0, 0, 0, 1]);
  return Buffer.concat([header, Buffer.alloc(length, type)]);
}

Deno.test("FrameFilter drops GOAWAY frames and nothing else", () => {
  const filter = new FrameFilter("callee");
  const [data, goaway, ping] = [frame(0, 300), frame(7, 8), frame(6, 8)];
  const passed = filter.pass(Buffer.concat([data, goaway, ping, goaway, data]));
  assert(passed.equals(Buffer.concat([data, ping, data])));
});

Deno.test("FrameFilter passes a caller's preface", () => {
  const filter = new FrameFilter("caller");
  const passed = filter.pass(Buffer.concat([PREFACE, frame(7, 8), frame(4, 6)]));
  assert(passed.equals(Buffer.concat([PREFACE, frame(4, 6)])));
});

Deno.test("FrameFilter passes a chunk without GOAWAY uncopied", () => {
  const chunk = Buffer.concat([frame(0, 16384), frame(1, 20)]);
  const passed = new FrameFilter("callee").pass(chunk);
  assert.deepEqual([passed.buffer, passed.byteOffset], [chunk.buffer, chunk.byteOffset]);
  assert.equal(passed.length, chunk.length);
});

Deno.test("FrameFilter gives the same however the bytes are cut", () => {
  const frames = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 70 })),
  );
  const cuts = fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1 });
  fc.assert(fc.property(frames, cuts, (kinds, sizes) => {
    const all = Buffer.concat([PREFACE, ...kinds.map(([type, length]) => frame(type, length))]);
    const kept = kinds.filter(([type]) => type !== 7).map(([type, length]) => frame(type, length));
    const filter = new FrameFilter("caller");
    const passed: Buffer[] = [];
    for (let at = 0, i = 0; at < all.length; i++) {
      const size = sizes[i % sizes.length]!;
      passed.push(filter.pass(all.subarray(at, at + size)));
      at += size;
    }
    assert(Buffer.concat(passed).equals(Buffer.concat([PREFACE, ...kept])));
  }));
});
