/** IDX files: round trips and everything that can be wrong with one. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { encodeIdx, parseIdx, readIdxPair, summariseIdxPair } from "../../src/data/idx.ts";
import { inFolder } from "./folders.ts";

const PAIR = { images: "images", labels: "labels" };

Deno.test("parseIdx() reads back what encodeIdx() wrote, for all shapes", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(sizes, fc.infiniteStream(fc.integer({ min: 0, max: 255 })), (shape, bytes) => {
      const length = shape.reduce((product, size) => product * size, 1);
      const numbers = [...bytes.take(length)];
      const integers = numbers.map((each) => each * 65537 - 1000);
      for (const values of [Uint8Array.from(numbers), Int32Array.from(integers)]) {
        const read = parseIdx(encodeIdx(values, shape), "x");
        assert.deepEqual(read.values, values);
        assert.deepEqual(read.sizes, shape);
      }
    }),
  );
});

Deno.test("parseIdx() reads big-endian integers and floats", () => {
  const head = (type: number) => [0, 0, type, 1, 0, 0, 0, 2];
  const integers = Uint8Array.from([...head(0x0c), 0, 0, 1, 2, 255, 255, 255, 255]);
  assert.deepEqual(parseIdx(integers, "x").values, Int32Array.of(258, -1));
  const floats = Uint8Array.from([...head(0x0d), 0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0]);
  assert.deepEqual(parseIdx(floats, "x").values, Float32Array.of(1.5, -2));
});

const whole = encodeIdx(Uint8Array.of(1, 2, 3, 4, 5, 6), [3, 2]);
const broken: Readonly<Record<string, [Uint8Array<ArrayBuffer>, RegExp]>> = {
  "a truncated file": [
    whole.slice(0, 17),
    /^DataError: Cannot read f as it holds 17 bytes: its header states 18$/,
  ],
  "a file with bytes to spare": [
    Uint8Array.from([...whole, 0]),
    /^DataError: Cannot read f as it holds 19 bytes: its header states 18$/,
  ],
  "an empty file": [new Uint8Array(0), /^DataError: Cannot read f as its magic number is ""/],
  "another format": [
    new TextEncoder().encode("PK\x03\x04 something"),
    /^DataError: Cannot read f as its magic number is "50 4b 03 04": IDX starts with "00 00"$/,
  ],
  "an unknown type": [Uint8Array.of(0, 0, 7, 1, 0, 0, 0, 0), /as IDX of type 7 with 1 axes/],
  "a header cut short": [
    Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 1),
    /^DataError: Cannot read f as it holds 8 bytes: its header alone takes 16$/,
  ],
};
for (const [what, [bytes, expected]] of Object.entries(broken)) {
  Deno.test(`parseIdx() refuses ${what}`, () => {
    assert.throws(() => parseIdx(bytes, "f"), expected);
  });
}

Deno.test("readIdxPair() reads plain and gzipped files, with a channel axis", () =>
  inFolder(async (folder) => {
    const images = encodeIdx(Uint8Array.from({ length: 12 }, (_, i) => i), [2, 3, 2]);
    await Deno.writeFile(`${folder}/images`, gzipSync(images));
    await Deno.writeFile(`${folder}/labels`, encodeIdx(Uint8Array.of(7, 3), [2]));
    const data = await readIdxPair(folder, PAIR);
    assert.deepEqual(data.shape, [3, 2, 1]);
    assert.deepEqual([...data.items], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assert.deepEqual(data.labels.values, Int32Array.of(7, 3));
    const summary = await summariseIdxPair(folder, PAIR);
    assert.equal(summary.count, 2);
    assert.deepEqual(summary.labels, data.labels);
  }));

Deno.test("summariseIdxPair() reads no more of the images than their header and size", () =>
  inFolder(async (folder) => {
    const header = encodeIdx(new Uint8Array(0), [60_000, 28, 28]);
    await Deno.writeFile(`${folder}/images`, header);
    await Deno.writeFile(`${folder}/labels`, encodeIdx(new Uint8Array(60_000), [60_000]));
    const cutShort = /images as it holds 16 bytes: its header states 47040016$/;
    await assert.rejects(summariseIdxPair(folder, PAIR), cutShort);
    await assert.rejects(readIdxPair(folder, PAIR), cutShort);
    // A hole instead of the pixels: reading it would take as long as reading them.
    await Deno.truncate(`${folder}/images`, 47_040_016);
    assert.equal((await summariseIdxPair(folder, PAIR)).count, 60_000);
  }));

Deno.test("readIdxPair() refuses labels that are images", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/images`, encodeIdx(new Uint8Array(4), [1, 2, 2]));
    await assert.rejects(
      readIdxPair(folder, { images: "images", labels: "images" }),
      /as labels of shape \[1,2,2\]: one number an item is needed/,
    );
  }));

Deno.test("readIdxPair() refuses gzip that is cut short", () =>
  inFolder(async (folder) => {
    const packed = gzipSync(encodeIdx(new Uint8Array(4000).fill(9), [1000, 2, 2]));
    await Deno.writeFile(`${folder}/images`, packed.subarray(0, packed.length - 12));
    await assert.rejects(readIdxPair(folder, PAIR), /images as it is not whole gzip/);
  }));
