/** Datasets that are unpacked as they are larger than memory: the same items and labels as there. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { encode as encodePng } from "fast-png";
import { gzipSync, zipSync } from "fflate";
import { csvTable } from "../../src/data/csv.ts";
import { encodeIdx } from "../../src/data/idx.ts";
import { loadDataset, loadWithin } from "../../src/data/load.ts";
import { encodeNpy } from "../../src/data/npy.ts";
import { readDatasetSpec } from "../../src/data/spec.ts";
import { type Unpacked, unpackedWithin } from "../../src/data/unpack.ts";
import { parquetWriteBuffer } from "hyparquet-writer";
import { inFolder } from "./folders.ts";
import { npy } from "./npy_file.ts";

const never = new AbortController().signal;

async function configure(folder: string, files: string, more = "") {
  const data = `${folder}/d`;
  await Deno.mkdir(data, { recursive: true });
  await Deno.writeTextFile(
    `${data}/dataset_config.yaml`,
    `dataset_details:\n  data_filename: ${files}\nnormalize: { mean: 0.5, std: 2 }\n${more}`,
  );
  return (await readDatasetSpec(data)).spec;
}

type Spec = Awaited<ReturnType<typeof configure>>;

function unpack(folder: string, spec: Spec, budget: number, signal = never) {
  return unpackedWithin(spec, budget, () => `${folder}/unpacked`, signal);
}

/** All of a dataset's items as they lie in memory. */
async function itemBytes(dataset: Awaited<ReturnType<typeof loadWithin>>) {
  assert.ok("close" in dataset.items);
  const size = dataset.items.byteLength / dataset.count;
  const bytes = new Uint8Array(dataset.items.byteLength);
  dataset.items.read(Int32Array.from({ length: dataset.count }, (_, i) => i), bytes, size);
  dataset.items.close();
  return await Promise.resolve(bytes);
}

/** Unpacks with a byte less than is needed, and compares with what is read into memory. */
async function compare(folder: string, spec: Spec): Promise<Unpacked> {
  const { items, ...expected } = await loadDataset(spec);
  const unpacked = await unpack(folder, spec, items.byteLength - 1);
  assert.ok(unpacked !== null);
  const stored = await loadWithin(unpacked.spec, 0);
  const { items: _, ...described } = stored;
  assert.deepEqual(described, expected);
  assert.deepEqual(
    await itemBytes(stored),
    new Uint8Array(items.buffer, items.byteOffset, items.byteLength),
  );
  // What fits in memory after all is read there.
  const resident = await loadWithin(unpacked.spec, items.byteLength);
  assert.deepEqual(resident.items, items);
  return unpacked;
}

const LABELS = Uint8Array.of(0, 1, 2, 0, 1, 2, 0);
const BYTES = Uint8Array.from({ length: 7 * 6 }, (_, i) => i * 5);
const INTEGERS = Int32Array.from(BYTES, (byte) => byte * -70_000);
const FLOATS = Float32Array.from({ length: 7 * 6 }, (_, i) => i / 3 - 5);

function idxFloats(): Uint8Array<ArrayBuffer> {
  const bytes = encodeIdx(new Int32Array(FLOATS.length), [7, 6]);
  bytes[2] = 0x0d;
  FLOATS.forEach((value, i) => new DataView(bytes.buffer).setFloat32(12 + 4 * i, value));
  return bytes;
}

function parquet(rowGroupSize: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "a", data: [...FLOATS.subarray(0, 7)], type: "FLOAT" },
      { name: "label", data: [...LABELS], type: "INT32" },
      { name: "b", data: [...INTEGERS.subarray(0, 7)].map(BigInt), type: "INT64" },
    ],
    rowGroupSize,
  }));
}

function png(value: number): Uint8Array {
  const data = Uint8Array.from({ length: 6 }, (_, i) => value + i);
  return encodePng({ width: 3, height: 2, channels: 1, depth: 8, data });
}

const CSV = "a,label,b\n" +
  [...LABELS].map((label, i) => `${FLOATS[i]},${label},${i * 1e9}\n`).join("");
const zip = (x: Uint8Array, level: 0 | 6) => {
  const y = npy("<i8", "(7,)", BigInt64Array.from(LABELS, BigInt));
  return zipSync({ "x.npy": x, "y.npy": y }, { level });
};
const wide = npy("<f8", "(7, 6)", Float64Array.from(FLOATS));
const long = npy("<i8", "(7, 3, 2)", BigInt64Array.from(INTEGERS, BigInt));
const series = npy("<f4", "(7, 3, 2)", FLOATS);
const targets = encodeNpy(FLOATS.subarray(0, 14), [7, 2]);

/** Files by case; data_filename is the text before the colon. */
const PACKED: Readonly<Record<string, Readonly<Record<string, Uint8Array>>>> = {
  "d.csv": { "d.csv": new TextEncoder().encode(CSV) },
  "d.csv.gz": { "d.csv.gz": gzipSync(new TextEncoder().encode(CSV)) },
  "d.parquet: in one group": { "d.parquet": parquet(7) },
  "d.parquet: in groups of three": { "d.parquet": parquet(3) },
  "d.parquet.gz": { "d.parquet.gz": gzipSync(parquet(3)) },
  "{ images: i.gz, labels: l }: of bytes": { "i.gz": gzipSync(encodeIdx(BYTES, [7, 3, 2])) },
  "{ images: i.gz, labels: l }: of integers": { "i.gz": gzipSync(encodeIdx(INTEGERS, [7, 3, 2])) },
  "{ images: i.gz, labels: l }: of floats": { "i.gz": gzipSync(idxFloats()) },
  "d.npz: packed bytes": { "d.npz": zip(npy("|u1", "(7, 3, 2)", BYTES), 6) },
  "d.npz: packed series": { "d.npz": zip(series, 6) },
  "d.npz: packed f8": { "d.npz": zip(wide, 6) },
  "d.npz: f8": { "d.npz": zip(wide, 0) },
  "d.npz: i8": { "d.npz": zip(long, 0) },
  "d.npz.gz: packed": { "d.npz.gz": gzipSync(zip(series, 6)) },
  "{ images: x.npy, labels: y.npy }: f8": { "x.npy": wide, "y.npy": targets },
  "{ images: x.npy.gz, labels: y.npy }": { "x.npy.gz": gzipSync(series), "y.npy": targets },
  "img/": { "img/oak/1.png": png(1), "img/ash/1.png": png(20), "img/ash/2.png": png(40) },
};

for (const [name, files] of Object.entries(PACKED)) {
  Deno.test(`unpackedWithin() unpacks ${name} to the items that are read into memory`, () =>
    inFolder(async (folder) => {
      const spec = await configure(folder, name.replace(/: [^:}]*$/, ""));
      await Deno.writeFile(`${spec.folder}/l`, encodeIdx(LABELS, [7]));
      for (const [file, bytes] of Object.entries(files)) {
        await Deno.mkdir(dirname(`${spec.folder}/${file}`), { recursive: true });
        await Deno.writeFile(`${spec.folder}/${file}`, bytes);
      }
      const { spec: unpacked } = await compare(folder, spec);
      assert.equal(unpacked.name, "d");
      await Deno.remove(`${folder}/unpacked`, { recursive: true });
      assert.equal(await unpack(folder, spec, 10_000), null);
      await assert.rejects(Deno.stat(`${folder}/unpacked`), Deno.errors.NotFound);
    }));
}

Deno.test("unpackedWithin() leaves what can be read by item where it is", () =>
  inFolder(async (folder) => {
    for (
      const [files, name, bytes] of [
        ["{ images: i, labels: l }", "i", encodeIdx(BYTES, [7, 3, 2])],
        ["d.npz", "d.npz", zip(series, 0)],
        ["{ images: x.npy, labels: y.npy }", "x.npy", series],
      ] as const
    ) {
      const spec = await configure(folder, files);
      await Deno.writeFile(`${spec.folder}/l`, encodeIdx(LABELS, [7]));
      await Deno.writeFile(`${spec.folder}/y.npy`, targets);
      await Deno.writeFile(`${spec.folder}/${name}`, bytes);
      assert.equal(await unpack(folder, spec, 0), null);
      await itemBytes(await loadWithin(spec, 0));
    }
    // Of an archive within gzip nothing can be read alone; within is one that can.
    const spec = await configure(folder, "d.npz.gz");
    await Deno.writeFile(`${spec.folder}/d.npz.gz`, gzipSync(zip(series, 0)));
    assert.equal((await compare(folder, spec)).spec.files, "d.npz");
  }));

Deno.test("unpackedWithin() numbers words by label_names, and keeps a regression's targets", () =>
  inFolder(async (folder) => {
    const spec = await configure(folder, "d.csv", "label_names: [oak, ash]\n");
    await Deno.writeTextFile(`${spec.folder}/d.csv`, "a,kind\n1,ash\n2,oak\n3,ash\n");
    const { spec: words } = await compare(folder, spec);
    assert.deepEqual([...(await loadDataset(words)).labels], [1, 0, 1]);
    await Deno.remove(`${folder}/unpacked`, { recursive: true });
    const regression = await configure(folder, "d.csv");
    await Deno.writeTextFile(`${spec.folder}/d.csv`, "a,y\n1,0.5\n2,-1\n3,7\n");
    const { spec: numbers } = await compare(folder, regression);
    assert.deepEqual((await loadDataset(numbers)).labels, Float32Array.of(0.5, -1, 7));
  }));

/** Text of a table with so many rows, of which one has a cell that is no number. */
function longCsv(rows: number, badRow: number): string {
  const lines = Array.from({ length: rows }, (_, i) => `${i},${i + 1 === badRow ? "x" : 2},1`);
  return `a,b,label\n${lines.join("\n")}\n`;
}

Deno.test("unpackedWithin() names the row over the whole file and the column, and leaves nothing", () =>
  inFolder(async (folder) => {
    const spec = await configure(folder, "d.csv");
    await Deno.writeTextFile(`${spec.folder}/d.csv`, longCsv(50_000, 49_321));
    await assert.rejects(
      unpack(folder, spec, 0),
      /^DataError: Cannot read d\/d.csv row 49321 column "b": "x" is not a finite number$/,
    );
    await assert.rejects(Deno.stat(`${folder}/unpacked`), Deno.errors.NotFound);
    await Deno.writeTextFile(`${spec.folder}/d.csv`, longCsv(50_000, 0) + "1,2\n");
    await assert.rejects(unpack(folder, spec, 0), /Cannot read d\/d.csv: Invalid Record Length/);
    const strict = await configure(folder, "d.csv", "num_classes: 1\n");
    await Deno.writeTextFile(`${spec.folder}/d.csv`, longCsv(3, 0));
    await assert.rejects(
      unpack(folder, strict, 0),
      /Cannot use d\/d.csv column "label" with label 1 in row 1: num_classes is 1$/,
    );
    await assert.rejects(Deno.stat(`${folder}/unpacked`), Deno.errors.NotFound);
  }));

Deno.test("unpackedWithin() names what is cut off or larger than it says", () =>
  inFolder(async (folder) => {
    const spec = await configure(folder, "{ images: i.gz, labels: l }");
    await Deno.writeFile(`${spec.folder}/l`, encodeIdx(LABELS, [7]));
    const whole = encodeIdx(BYTES, [7, 3, 2]);
    await Deno.writeFile(`${spec.folder}/i.gz`, gzipSync(whole.subarray(0, 50)));
    await assert.rejects(unpack(folder, spec, 0), /d\/i.gz as it holds 50 bytes: .* states 58$/);
    await Deno.writeFile(`${spec.folder}/i.gz`, gzipSync(Uint8Array.of(...whole, 1)));
    await assert.rejects(unpack(folder, spec, 0), /d\/i.gz as it holds 59 bytes: .* states 58$/);
    await Deno.writeFile(`${spec.folder}/i.gz`, gzipSync(whole).subarray(0, -9));
    await assert.rejects(unpack(folder, spec, 0), /Cannot unpack d\/i.gz as it is not whole gzip/);
    await Deno.writeFile(`${spec.folder}/i.gz`, gzipSync(whole));
    await Deno.writeFile(`${spec.folder}/l`, encodeIdx(LABELS.subarray(1), [6]));
    await assert.rejects(unpack(folder, spec, 0), /dataset d of 7 items: d\/l has 6 labels$/);
    const csv = await configure(folder, "d.csv.gz");
    const text = gzipSync(new TextEncoder().encode(longCsv(1000, 0)));
    await Deno.writeFile(`${csv.folder}/d.csv.gz`, text.subarray(0, -9));
    await assert.rejects(unpack(folder, csv, 0), /unpack d\/d.csv.gz as it is not whole gzip/);
    const packed = await configure(folder, "d.npz");
    const far = BigInt64Array.from({ length: 9000 }, (_, i) => i === 8999 ? 2n ** 31n : 1n);
    await Deno.writeFile(`${spec.folder}/d.npz`, zip(npy("<i8", "(9000,)", far), 6));
    await assert.rejects(
      unpack(folder, packed, 0),
      /Cannot read d\/d.npz x as element 8999 is 2147483648: at most 32 bits are read$/,
    );
    await assert.rejects(Deno.stat(`${folder}/unpacked`), Deno.errors.NotFound);
  }));

Deno.test("unpackedWithin() ends with its signal, and says where it cannot write", () =>
  inFolder(async (folder) => {
    const spec = await configure(folder, "d.csv");
    await Deno.writeTextFile(`${spec.folder}/d.csv`, longCsv(20_000, 0));
    const abort = new AbortController();
    const ended = unpackedWithin(
      spec,
      0,
      () => {
        abort.abort(new Error("enough"));
        return `${folder}/unpacked`;
      },
      abort.signal,
    );
    await assert.rejects(ended, /^Error: enough$/);
    await assert.rejects(Deno.stat(`${folder}/unpacked`), Deno.errors.NotFound);
    await assert.rejects(
      unpack(`${folder}/nowhere`, spec, 0),
      /^DataError: Cannot unpack a dataset into .*nowhere\/unpacked: .*; free room there, or/,
    );
  }));

Deno.test("csvTable() reads a file no further than the rows that were asked for need", async () => {
  const line = new TextEncoder().encode("1,2,3,4\n".repeat(1000));
  let read = 0;
  const table = await csvTable("t", async function* () {
    for (let i = 0; i < 1000; i++) {
      read += 1;
      yield await Promise.resolve(line);
    }
  });
  assert.ok(read < 40, `${read} parts for the header`);
  read = 0;
  let taken = 0;
  for await (const { count } of table.rows([0, 3])) {
    taken += count;
    // Text that is read but not yet given as rows.
    assert.ok(count <= 8192 && read * 1000 - taken < 40_000, `${read} parts for ${taken} rows`);
  }
  assert.equal(taken, 999_999);
});
