import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { WeightsError } from "../../src/core/errors.ts";
import {
  allocateWeights,
  checkLayout,
  checkWeights,
  decodeLayout,
  decodeWeights,
  encodedSize,
  encodeWeights,
  type Layout,
  layoutOf,
  sizeOf,
  type Weights,
} from "../../src/core/weights.ts";
import { weightsId } from "../../src/core/weights_id.ts";
import { safetensors } from "../fixtures/safetensors.ts";

/** Small models: any names but those that JavaScript sorts as numbers, scalars and empty tensors. */
const layouts = fc.uniqueArray(
  fc.record({
    name: fc.string({ unit: "grapheme" }).map((text) => `t${text}`),
    shape: fc.array(fc.nat({ max: 4 }), { maxLength: 3 }),
  }),
  { selector: ({ name }) => name, maxLength: 6 },
).map(layoutOf);

const models: fc.Arbitrary<Weights> = layouts.chain((layout) => {
  const length = { minLength: sizeOf(layout), maxLength: sizeOf(layout) };
  return fc.array(fc.float(), length).map((values) => ({
    layout,
    values: new Float32Array(values),
  }));
});

/** Bytes of floats, so that NaN and -0 are compared too. */
function bytesOf({ buffer, byteOffset, byteLength }: Float32Array<ArrayBuffer>): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A Node Buffer that starts `shift` bytes after an aligned place. */
function shifted(bytes: Uint8Array, shift: number): Buffer<ArrayBuffer> {
  const room = Buffer.from(new ArrayBuffer(bytes.length + 8));
  room.set(bytes, shift);
  return room.subarray(shift, shift + bytes.length);
}

Deno.test("layoutOf() lays tensors out without gaps, a scalar as one element", () => {
  const layout = layoutOf([{ name: "k", shape: [2, 3] }, { name: "b", shape: [] }, {
    name: "e",
    shape: [0, 4],
  }]);
  assert.deepEqual(layout, [
    { name: "k", shape: [2, 3], offset: 0, size: 6 },
    { name: "b", shape: [], offset: 6, size: 1 },
    { name: "e", shape: [0, 4], offset: 7, size: 0 },
  ]);
  assert.equal(sizeOf(layout), 7);
  assert.equal(sizeOf([]), 0);
});

Deno.test("encodeWeights() writes the safetensors bytes that the format's description gives", () => {
  const layout = layoutOf([{ name: "a", shape: [2] }]);
  const { bytes } = encodeWeights({ layout, values: new Float32Array([1, -2]) });
  const header = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}';
  // 54 bytes of JSON, padded to 56; 1 is 0x3f800000 and -2 is 0xc0000000, both little-endian.
  assert.equal(header.length, 54);
  assert.deepEqual([...bytes.subarray(0, 8)], [56, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(new TextDecoder().decode(bytes.subarray(8, 64)), `${header}  `);
  assert.deepEqual([...bytes.subarray(64)], [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  assert.equal(encodedSize(layout), 72);
});

Deno.test("decodeWeights() gives back what encodeWeights() took, for any model", () => {
  fc.assert(fc.property(models, (weights) => {
    const { bytes } = encodeWeights(weights);
    assert.equal(bytes.length, encodedSize(weights.layout));
    const decoded = decodeWeights(bytes);
    assert.deepEqual(decoded.layout, weights.layout);
    assert.deepEqual(bytesOf(decoded.values), bytesOf(weights.values));
  }));
});

Deno.test("decodeWeights() reads a Node Buffer that starts anywhere", () => {
  fc.assert(fc.property(models, fc.nat({ max: 7 }), (weights, shift) => {
    const { bytes } = encodeWeights(weights);
    const decoded = decodeWeights(shifted(bytes, shift));
    assert.deepEqual(bytesOf(decoded.values), bytesOf(weights.values));
    assert.deepEqual(new Uint8Array(decoded.bytes), bytes);
    assert.equal(weightsId(decoded.bytes), weightsId(bytes));
  }));
});

Deno.test("decodeWeights() is a view of aligned bytes: writing values changes them", () => {
  const { bytes } = allocateWeights(layoutOf([{ name: "a", shape: [1] }]));
  decodeWeights(bytes).values[0] = 1;
  assert.deepEqual([...bytes.subarray(-4)], [0, 0, 0x80, 0x3f]);
});

Deno.test("decodeWeights() takes tensors in the order of their bytes, not of the header", () => {
  const { layout, values } = decodeWeights(safetensors({
    __metadata__: { format: "pt" },
    second: { dtype: "F32", shape: [], data_offsets: [8, 12] },
    first: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
  }, [1, 2, 3]));
  assert.deepEqual(layout.map(({ name }) => name), ["first", "second"]);
  assert.deepEqual([...values], [1, 2, 3]);
});

Deno.test("decodeWeights() refuses every truncation and any surplus", () => {
  const { bytes } = encodeWeights({
    layout: layoutOf([{ name: "a", shape: [3] }]),
    values: new Float32Array([1, 2, 3]),
  });
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => decodeWeights(bytes.slice(0, length)), WeightsError, `${length} bytes`);
  }
  const surplus = new Uint8Array([...bytes, 0]);
  assert.throws(() => decodeWeights(surplus), {
    message: `Cannot read weights of ${surplus.length} bytes: expected ${bytes.length}`,
  });
});

Deno.test("decodeWeights() refuses hostile headers by name of what is wrong", () => {
  const f32 = (shape: unknown, data_offsets: unknown) => ({ dtype: "F32", shape, data_offsets });
  const hostile: [unknown, RegExp][] = [
    [[], /header is not an object/],
    [null, /header is not an object/],
    [7, /header is not an object/],
    [{ a: null }, /tensor "a" of type undefined: expected F32/],
    [{ a: { dtype: "F64", shape: [1], data_offsets: [0, 8] } }, /of type F64: expected F32/],
    [{ a: f32([-1], [0, 4]) }, /shape or offsets are not sizes/],
    [{ a: f32([1.5], [0, 6]) }, /shape or offsets are not sizes/],
    [{ a: f32(["1"], [0, 4]) }, /shape or offsets are not sizes/],
    [{ a: f32([1], [0]) }, /shape or offsets are not sizes/],
    [{ a: f32([1], [4, 0]) }, /from -4 bytes: expected 4/],
    [{ a: f32([2], [0, 4]) }, /shape \[2\] from 4 bytes: expected 8/],
    [{ a: f32([1e15, 1e15], [0, 4]) }, /from 4 bytes: expected 4e\+30/],
    [{ a: f32([1], [4, 8]) }, /tensor "a" at byte 4: expected 0/],
    [{ a: f32([1], [0, 4]), b: f32([1], [0, 4]) }, /tensor "b" at byte 0: expected 4/],
    [{ a: f32([1], [0, 4]), b: f32([1], [8, 12]) }, /tensor "b" at byte 8: expected 4/],
    [{ a: f32([2], [0, 8]), b: f32([1], [4, 8]) }, /tensor "b" at byte 4: expected 8/],
  ];
  for (const [header, message] of hostile) {
    assert.throws(() => decodeWeights(safetensors(header, [0, 0])), (error) => {
      assert.ok(error instanceof WeightsError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("decodeLayout() refuses a header length that no memory could hold, without trying", () => {
  for (const length of [2n ** 64n - 1n, 2n ** 63n, 2n ** 32n, 17n * 1024n * 1024n]) {
    const bytes = new Uint8Array(64);
    new DataView(bytes.buffer).setBigUint64(0, length, true);
    assert.throws(() => decodeLayout(bytes), {
      name: "WeightsError",
      message: /header claims \d+ bytes: 64 bytes are there/,
    });
  }
});

Deno.test("decodeWeights() throws nothing but WeightsError on any bytes", () => {
  const anyHeader = fc.json().map((json) => safetensors(JSON.parse(json), [0]));
  const anyBytes = fc.uint8Array({ maxLength: 64 }).map((bytes) => new Uint8Array(bytes));
  fc.assert(fc.property(fc.oneof(anyBytes, anyHeader), (bytes) => {
    try {
      decodeWeights(bytes);
    } catch (error) {
      assert.ok(error instanceof WeightsError, String(error));
    }
  }));
});

Deno.test("weightsId() is the SHA-256 of the bytes", () => {
  const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  assert.equal(weightsId(new Uint8Array(0)), empty);
});

Deno.test("checkWeights() finds the one value that is not finite, wherever it is", () => {
  const layout = layoutOf([{ name: "a", shape: [2] }, { name: "b", shape: [] }]);
  const places = [["a", 0], ["a", 1], ["b", 0]] as const;
  for (const [i, [tensor, at]] of places.entries()) {
    for (const bad of [NaN, Infinity, -Infinity]) {
      const values = new Float32Array([1, 2, 3]);
      values[i] = bad;
      assert.throws(() => checkWeights({ layout, values }, layout), {
        name: "WeightsError",
        message: `Cannot use weights with ${bad} in tensor "${tensor}" at ${at}`,
      });
    }
  }
  const largest = 3.4028234663852886e38;
  checkWeights({ layout, values: new Float32Array([largest, largest, -largest]) }, layout);
});

Deno.test("checkLayout() names the first tensor that differs, a missing and a further one", () => {
  const want: Layout = layoutOf([{ name: "a", shape: [2] }, { name: "b", shape: [3] }]);
  const cases: [Layout, string][] = [
    [
      layoutOf([{ name: "a", shape: [1, 2] }, want[1]!]),
      'tensor "a" [1,2]: expected tensor "a" [2]',
    ],
    [layoutOf([want[1]!, want[0]!]), 'tensor "b" [3]: expected tensor "a" [2]'],
    [layoutOf([want[0]!]), 'no further tensor: expected tensor "b" [3]'],
    [layoutOf([...want, { name: "c", shape: [] }]), 'tensor "c" []: expected no further tensor'],
  ];
  for (const [got, difference] of cases) {
    assert.throws(() => checkLayout(got, want), {
      name: "WeightsError",
      message: `Cannot use weights with ${difference}`,
    });
  }
  checkLayout(layoutOf(want), want);
});
