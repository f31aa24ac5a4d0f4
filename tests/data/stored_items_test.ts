/** Datasets that are larger than the memory they may take: the same items, read from disk. */
import assert from "node:assert/strict";
import { zipSync } from "fflate";
import { batchFiller } from "../../src/data/batch.ts";
import { BYTES_EACH, type Dataset, elements, rowsOf } from "../../src/data/dataset.ts";
import { encodeIdx } from "../../src/data/idx.ts";
import { loadDataset, loadWithin } from "../../src/data/load.ts";
import { readDatasetSpec } from "../../src/data/spec.ts";
import { zipMembers } from "../../src/data/zip_directory.ts";
import { inFolder } from "./folders.ts";
import { npy } from "./npy_file.ts";

const ORDER = Int32Array.of(6, 0, 3, 3, 5);

async function configure(folder: string, files: string) {
  const text = `dataset_details:\n  data_filename: ${files}\nnormalize: { mean: 0.5, std: 2 }\n`;
  await Deno.writeTextFile(`${folder}/dataset_config.yaml`, text);
  return (await readDatasetSpec(folder)).spec;
}

function storedBytes(dataset: Dataset): Uint8Array {
  const rows = rowsOf(dataset);
  // Rows lie apart as in the memory of kernels.
  const stride = elements(dataset.shape) * BYTES_EACH[rows.type] + 4;
  const bytes = new Uint8Array(ORDER.length * stride);
  rows.read(ORDER, bytes, stride);
  return bytes;
}

function inputs(dataset: Dataset): Float32Array {
  const into = new Float32Array(ORDER.length * elements(dataset.shape));
  batchFiller(dataset)(ORDER, into);
  return into;
}

/** Loads with a byte less than is needed and with just enough, and compares. */
async function compare(folder: string, files: string): Promise<void> {
  const spec = await configure(folder, files);
  const resident = await loadDataset(spec);
  const { byteLength } = resident.items;
  assert.ok(ArrayBuffer.isView((await loadWithin(spec, byteLength)).items));
  const stored = await loadWithin(spec, byteLength - 1);
  assert.ok("close" in stored.items);
  try {
    const { items: _, ...described } = stored;
    const { items: __, ...expected } = resident;
    assert.deepEqual(described, expected);
    assert.deepEqual(storedBytes(stored), storedBytes(resident));
    assert.deepEqual(inputs(stored), inputs(resident));
  } finally {
    stored.items.close();
  }
}

const LABELS = Uint8Array.of(0, 1, 2, 0, 1, 2, 0);
const BYTES = Uint8Array.from({ length: 7 * 6 }, (_, i) => i * 5);
const FLOATS = Float32Array.from({ length: 7 * 6 }, (_, i) => i / 3 - 5);

Deno.test("loadWithin() reads IDX bytes and big-endian integers by item", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/l`, encodeIdx(LABELS, [7]));
    await Deno.writeFile(`${folder}/i`, encodeIdx(BYTES, [7, 3, 2]));
    await compare(folder, "{ images: i, labels: l }");
    const integers = Int32Array.from(BYTES, (byte) => byte * -70_000);
    await Deno.writeFile(`${folder}/i`, encodeIdx(integers, [7, 3, 2]));
    await compare(folder, "{ images: i, labels: l }");
  }));

for (
  const [type, values] of Object.entries({
    "|u1": BYTES,
    "<i4": Int32Array.from(BYTES),
    "<f4": FLOATS,
  })
) {
  Deno.test(`loadWithin() reads ${type} of a zip that is not packed by item`, () =>
    inFolder(async (folder) => {
      const x = npy(type, "(7, 3, 2)", values);
      const y = npy("<i8", "(7,)", BigInt64Array.from(LABELS, BigInt));
      for (const level of [0, 6] as const) {
        const members = { "x.npy": [x, { level: 0 }], "y.npy": [y, { level }] } as const;
        await Deno.writeFile(`${folder}/d.npz`, zipSync(members as never));
        await compare(folder, "d.npz");
      }
    }));
}

Deno.test("loadWithin() finds a number that is not finite, whichever block of items holds it", () =>
  inFolder(async (folder) => {
    const values = new Float32Array(300 * 2);
    values[299 * 2 + 1] = NaN;
    const x = npy("<f4", "(300, 2)", values);
    const y = npy("|u1", "(300,)", new Uint8Array(300));
    await Deno.writeFile(`${folder}/d.npz`, zipSync({ "x.npy": x, "y.npy": y }, { level: 0 }));
    const spec = await configure(folder, "d.npz");
    const message = /number 1 of item 299 is NaN: all must be finite/;
    await assert.rejects(loadWithin(spec, 0), message);
    await assert.rejects(loadDataset(spec), message);
  }));

Deno.test("items on disk that are cut off while they are in use are an error that names the file", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/l`, encodeIdx(LABELS, [7]));
    await Deno.writeFile(`${folder}/i`, encodeIdx(BYTES, [7, 3, 2]));
    const dataset = await loadWithin(await configure(folder, "{ images: i, labels: l }"), 0);
    await Deno.truncate(`${folder}/i`, 50);
    assert.throws(() => storedBytes(dataset), /\/i as it ends within item 6: it was changed/);
    if ("close" in dataset.items) dataset.items.close();
  }));

Deno.test("zipMembers() refuses what is not a whole zip", () =>
  inFolder(async (folder) => {
    const file = { label: "d.npz", path: `${folder}/d.npz` };
    const whole = zipSync({ a: [Uint8Array.of(1, 2, 3), { level: 0 }] });
    await Deno.writeFile(file.path, whole);
    const [member, ...none] = zipMembers(file);
    assert.equal(none.length, 0);
    assert.deepEqual({ ...member, start: 0 }, {
      name: "a",
      isStored: true,
      packed: 3,
      size: 3,
      start: 0,
    });
    assert.deepEqual(whole.subarray(member!.start, member!.start + 3), Uint8Array.of(1, 2, 3));
    for (let length = 0; length < whole.length; length++) {
      await Deno.writeFile(file.path, whole.subarray(0, length));
      assert.throws(() => zipMembers(file), /d.npz as it is not a whole zip/);
    }
  }));

Deno.test("zipMembers() reads numbers of 64 bits where those of 32 do not suffice", () =>
  inFolder(async (folder) => {
    const file = { label: "d.npz", path: `${folder}/d.npz` };
    const local = new Uint8Array(30 + 1 + 4);
    const entry = new Uint8Array(46 + 1 + 28);
    const view = new DataView(entry.buffer);
    view.setUint32(0, 0x02014b50, true);
    view.setUint32(20, 0xffffffff, true);
    view.setUint32(24, 0xffffffff, true);
    view.setUint16(28, 1, true);
    view.setUint16(30, 28, true);
    view.setUint32(42, 0xffffffff, true);
    entry[46] = "a".charCodeAt(0);
    view.setUint16(47, 1, true);
    view.setUint16(49, 24, true);
    // Unpacked and packed size and the place of the local header, in this order.
    [5_000_000_000n, 4_999_999_999n, 0n].forEach((each, i) =>
      view.setBigUint64(51 + 8 * i, each, true)
    );
    const localView = new DataView(local.buffer);
    localView.setUint16(26, 1, true);
    localView.setUint16(28, 4, true);
    const end64 = new Uint8Array(56 + 20);
    const end64View = new DataView(end64.buffer);
    end64View.setUint32(0, 0x06064b50, true);
    end64View.setBigUint64(40, BigInt(entry.length), true);
    end64View.setBigUint64(48, BigInt(local.length), true);
    const end = new Uint8Array(22);
    const endView = new DataView(end.buffer);
    endView.setUint32(0, 0x06054b50, true);
    endView.setUint32(12, 0xffffffff, true);
    endView.setUint32(16, 0xffffffff, true);
    await Deno.writeFile(file.path, Uint8Array.from([...local, ...entry, ...end64, ...end]));
    assert.deepEqual(zipMembers(file), [
      { name: "a", isStored: true, packed: 4_999_999_999, size: 5_000_000_000, start: 35 },
    ]);
  }));
