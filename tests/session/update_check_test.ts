import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { WeightsError } from "../../src/core/errors.ts";
import {
  encodedSize,
  encodeWeights,
  type Layout,
  layoutOf,
  sizeOf,
} from "../../src/core/weights.ts";
import type { UpdateHeader } from "../../src/rpc/transport.ts";
import { checkedUpdate, checkUpdateHeader } from "../../src/session/update_check.ts";
import { safetensors } from "../fixtures/safetensors.ts";
import { LAYOUT, updateOf } from "./world.ts";

const good = encodeWeights({ layout: LAYOUT, values: new Float32Array([1, -2, 3.5]) }).bytes;

/** Cuts bytes into pieces of these sizes, over and over, an empty one included where it says 0. */
function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let start = 0, i = 0; start < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(start, start + size);
    start += size;
  }
}

async function* stream(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

/** What comes through, as one. */
async function passed(
  pieces: Iterable<Uint8Array>,
  { claimed = good.length, layout = LAYOUT }: { claimed?: number; layout?: Layout } = {},
): Promise<Uint8Array> {
  return new Uint8Array(
    Buffer.concat(await Array.fromAsync(checkedUpdate(stream(pieces), claimed, layout))),
  );
}

async function refusal(...given: Parameters<typeof passed>): Promise<string> {
  try {
    await passed(...given);
  } catch (error) {
    assert.ok(error instanceof WeightsError, String(error));
    return error.message;
  }
  return "accepted";
}

/** A Node Buffer at an odd place of a larger memory, as a transport gives it. */
function odd(piece: Uint8Array): Buffer {
  const room = Buffer.alloc(piece.length + 1);
  room.set(piece, 1);
  return room.subarray(1);
}

const sizes = fc.array(fc.nat({ max: 20 }), { minLength: 1, maxLength: 5 })
  .filter((all) => all.some((size) => size > 0));

Deno.test("checkedUpdate() passes a good update on unchanged in pieces of every size", async () => {
  for (let size = 1; size <= good.length; size++) {
    assert.deepEqual(await passed(cut(good, [size])), good, `pieces of ${size}`);
    assert.deepEqual(await passed([...cut(good, [size])].map(odd)), good, `Buffers of ${size}`);
  }
});

Deno.test("checkedUpdate() passes any model on in pieces of any sizes", async () => {
  const models = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 40 });
  await fc.assert(fc.asyncProperty(models, sizes, async (values, pieces) => {
    const layout = layoutOf([{ name: "w", shape: [values.length] }]);
    const { bytes } = encodeWeights({ layout, values: new Float32Array(values) });
    const through = await passed(cut(bytes, pieces), { claimed: bytes.length, layout });
    assert.deepEqual(through, bytes);
  }));
});

Deno.test("checkedUpdate() finds NaN and Inf at each place in pieces of every size", async () => {
  const places = [["a", 0], ["a", 1], ["b", 0]] as const;
  for (const bad of [NaN, Infinity, -Infinity]) {
    for (const [i, [tensor, at]] of places.entries()) {
      const values = new Float32Array([1, 2, 3]);
      values[i] = bad;
      const { bytes } = encodeWeights({ layout: LAYOUT, values });
      for (let size = 1; size <= bytes.length; size++) {
        const message = `Cannot use an update with ${bad} in tensor "${tensor}" at ${at}`;
        assert.equal(await refusal([...cut(bytes, [size])].map(odd)), message);
      }
    }
  }
});

Deno.test("checkedUpdate() takes the largest floats, whose sum is not finite", async () => {
  const largest = 3.4028234663852886e38;
  const { bytes } = encodeWeights({
    layout: LAYOUT,
    values: new Float32Array([largest, largest, largest]),
  });
  assert.deepEqual(await passed([bytes]), bytes);
});

Deno.test("checkedUpdate() refuses every truncation, whatever it claims", async () => {
  for (let length = 0; length < good.length; length++) {
    const short = good.subarray(0, length);
    const claimsAll = await refusal(cut(short, [7]));
    assert.equal(claimsAll, `Cannot use an update of ${length} bytes: it claims ${good.length}`);
    const claimsLess = await refusal(cut(short, [7]), { claimed: length });
    assert.match(claimsLess, new RegExp(`^Cannot use an update of ${length} bytes: expected `));
  }
});

Deno.test("checkedUpdate() refuses bytes behind the last tensor, even a part of a float", async () => {
  for (let surplus = 1; surplus <= 5; surplus++) {
    const long = new Uint8Array([...good, ...new Array<number>(surplus).fill(0)]);
    assert.equal(
      await refusal(cut(long, [5])),
      `Cannot use an update of more than the ${good.length} bytes it claims`,
    );
    assert.equal(
      await refusal(cut(long, [5]), { claimed: long.length }),
      `Cannot use an update of ${long.length} bytes: expected ${good.length}`,
    );
  }
});

Deno.test("checkedUpdate() stops an update that is too long before it has all come", async () => {
  let sent = 0;
  async function* endless() {
    for (;; sent++) yield await Promise.resolve(good);
  }
  const all = Array.fromAsync(checkedUpdate(endless(), good.length, LAYOUT));
  await assert.rejects(all, { name: "WeightsError", message: /more than the \d+ bytes it claims/ });
  assert.equal(sent, 1);
});

Deno.test("checkedUpdate() refuses a hostile header length as soon as its eight bytes are there", async () => {
  for (const length of [2n ** 64n - 1n, 2n ** 53n, 2n ** 32n, 1_000_000n]) {
    const bytes = new Uint8Array(good);
    new DataView(bytes.buffer).setBigUint64(0, length, true);
    let taken = 0;
    const counted = function* () {
      for (const piece of cut(bytes, [8])) {
        taken++;
        yield piece;
      }
    };
    assert.match(await refusal(counted()), /header claims \d+ bytes: 8 bytes are there/);
    assert.equal(taken, 1);
  }
  // Shorter than the header is: what is cut off is not JSON.
  const short = new Uint8Array(good);
  new DataView(short.buffer).setBigUint64(0, 5n, true);
  assert.match(await refusal([short]), /header is not JSON/);
});

Deno.test("checkedUpdate() takes another encoder's header: other spacing, order and metadata", async () => {
  const bytes = safetensors({
    b: { dtype: "F32", shape: [], data_offsets: [8, 12] },
    __metadata__: { format: "pt", note: "x".repeat(1000) },
    a: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
  }, [1, 2, 3]);
  assert.deepEqual(await passed(cut(bytes, [11]), { claimed: bytes.length }), bytes);
});

Deno.test("checkedUpdate() takes a model of many tensors, whose header is long in itself", async () => {
  const tensors = Array.from(
    { length: 1500 },
    (_, i) => ({ name: `layer_${i}/kernel`, shape: [] }),
  );
  const layout = layoutOf(tensors);
  const { bytes } = encodeWeights({ layout, values: new Float32Array(1500).fill(1) });
  assert.ok(encodedSize(layout) - 4 * sizeOf(layout) > 64 * 1024);
  const pieces = cut(bytes, [16 * 1024]);
  assert.deepEqual(await passed(pieces, { claimed: bytes.length, layout }), bytes);
});

Deno.test("checkedUpdate() passes an error of its source on", async () => {
  async function* broken() {
    yield await Promise.resolve(good.subarray(0, 10));
    throw new Error("the line is cut");
  }
  const all = Array.fromAsync(checkedUpdate(broken(), good.length, LAYOUT));
  await assert.rejects(all, /the line is cut/);
});

Deno.test("checkUpdateHeader() takes what may be and refuses what cannot be", () => {
  const { header } = updateOf(LAYOUT, new Float32Array(3), 10);
  const { metrics } = header;
  const taken: Partial<UpdateHeader>[] = [
    {},
    { samples: 1 },
    { bytes: 12 },
    { metrics: { ...metrics, accuracy: null } },
    { metrics: { ...metrics, accuracy: 1, loss: -3 } },
  ];
  for (const change of taken) checkUpdateHeader({ ...header, ...change }, LAYOUT);
  const refused: [Partial<UpdateHeader>, RegExp][] = [
    [{ bytes: 11 }, /claims 11 bytes: expected 12 to /],
    [{ bytes: encodedSize(LAYOUT) + 64 * 1024 + 1 }, /bytes: expected 12 to /],
    [{ bytes: NaN }, /claims NaN bytes/],
    [{ samples: -1 }, /trained on -1 samples/],
    [{ samples: 1.5 }, /trained on 1.5 samples/],
    [{ samples: 2 ** 53 }, /trained on 9007199254740992 samples/],
    [{ metrics: { ...metrics, loss: NaN } }, /loss NaN and accuracy 0.75/],
    [{ metrics: { ...metrics, accuracy: 1.01 } }, /accuracy 1.01/],
    [{ metrics: { ...metrics, accuracy: -0.01 } }, /accuracy -0.01/],
    [{ metrics: { ...metrics, accuracy: NaN } }, /accuracy NaN/],
  ];
  for (const [change, message] of refused) {
    assert.throws(() => checkUpdateHeader({ ...header, ...change }, LAYOUT), {
      name: "WeightsError",
      message,
    });
  }
});
