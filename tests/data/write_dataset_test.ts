/** Writing a dataset, read back by what the clients read with. */
import assert from "node:assert/strict";
import type { NumberArray, RawData } from "../../src/data/dataset.ts";
import { readCifar10 } from "../../src/data/cifar10.ts";
import { loadDataset } from "../../src/data/load.ts";
import { encodeNpy, parseNpy } from "../../src/data/npy.ts";
import { pickRows } from "../../src/data/pick_rows.ts";
import { openSource } from "../../src/data/sources.ts";
import { readDatasetSpec } from "../../src/data/spec.ts";
import { writeDataset } from "../../src/data/write_dataset.ts";
import { inFolder } from "./folders.ts";

function raw(items: NumberArray, shape: number[], labels: Int32Array | Float32Array): RawData {
  return { items, shape, labels: { values: labels, shape: [], count: labels.length, source: "y" } };
}

const NOTES = {
  datasetId: "D",
  tags: ["image"],
  models: [],
  classes: 3,
  normalise: { mean: 0.5, std: 0.25 },
  comment: "made for a test",
};

async function readBack(folder: string) {
  return await loadDataset((await readDatasetSpec(folder)).spec);
}

Deno.test("writeDataset() writes images that loadDataset() reads, grey and in colour", async () => {
  await inFolder(async (folder) => {
    for (const channels of [1, 3]) {
      const items = Uint8Array.from({ length: 2 * 4 * channels }, (_, i) => i);
      const data = raw(items, [2, 2, channels], Int32Array.of(2, 0));
      const made = `${folder}/images_${channels}`;
      await writeDataset(made, "train_dataset_config.yaml", data, NOTES);
      const read = await readBack(made);
      assert.deepEqual(read.items, items);
      assert.deepEqual(read.shape, [2, 2, channels]);
      assert.deepEqual(read.labels, Int32Array.of(2, 0));
      assert.equal(read.classes, 3);
      assert.deepEqual(read.normalise, { mean: 0.5, std: 0.25 });
    }
  });
});

Deno.test("writeDataset() writes tables and targets as arrays that loadDataset() reads", async () => {
  await inFolder(async (folder) => {
    const data = raw(Float32Array.of(1, 2.5, -3, 4), [2], Float32Array.of(0.5, -1));
    const notes = { ...NOTES, classes: null, normalise: null };
    await writeDataset(`${folder}/t`, "dataset_config.yaml", data, notes);
    const read = await readBack(`${folder}/t`);
    assert.deepEqual(read.items, data.items);
    assert.deepEqual(read.labels, data.labels.values);
    assert.equal(read.classes, null);
  });
});

Deno.test("encodeNpy() makes what parseNpy() reads, elements at a multiple of 64 bytes", () => {
  for (const values of [Uint8Array.of(1, 2), Int32Array.of(-1, 2), Float32Array.of(0.5, 2)]) {
    const bytes = encodeNpy(values, [2, 1]);
    assert.equal((bytes.length - values.byteLength) % 64, 0);
    assert.deepEqual(parseNpy(bytes, "a"), { values, shape: [2, 1] });
  }
});

Deno.test("pickRows() takes rows in the given order, with their labels", () => {
  const data = raw(Float32Array.of(0, 1, 10, 11, 20, 21), [2], Int32Array.of(5, 6, 7));
  const picked = pickRows(data, Int32Array.of(2, 0));
  assert.deepEqual(picked.items, Float32Array.of(20, 21, 0, 1));
  assert.deepEqual(picked.labels.values, Int32Array.of(7, 5));
  assert.equal(picked.labels.count, 2);
});

Deno.test("readCifar10() turns planes into channels, over several files", async () => {
  await inFolder(async (folder) => {
    const record = new Uint8Array(3073);
    record[0] = 7;
    // The second pixel of each plane.
    record[1 + 1] = 11;
    record[1 + 1024 + 1] = 22;
    record[1 + 2048 + 1] = 33;
    await Deno.writeFile(`${folder}/a.bin`, record);
    await Deno.writeFile(`${folder}/b.bin`, new Uint8Array(2 * 3073));
    const { items, shape, labels } = await readCifar10(folder, ["b.bin", "a.bin"]);
    assert.deepEqual(shape, [32, 32, 3]);
    assert.deepEqual(labels.values, Int32Array.of(0, 0, 7));
    assert.deepEqual([...items.subarray(2 * 3072 + 3, 2 * 3072 + 6)], [11, 22, 33]);
    await Deno.writeFile(`${folder}/c.bin`, new Uint8Array(3000));
    await assert.rejects(readCifar10(folder, ["c.bin"]), /c.bin of 3000 bytes as CIFAR-10/);
    record[0] = 10;
    await Deno.writeFile(`${folder}/d.bin`, record);
    await assert.rejects(readCifar10(folder, ["d.bin"]), /d.bin .* record 1 has label 10/);
  });
});

Deno.test("openSource() leaves the column that says whose a row is out of the items", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/p.csv`, "who,a,kind,b\nx,1,0,2\ny,3,1,4\n");
    const source = await openSource(`${folder}/p.csv`, { column: "who", label: "kind" });
    assert.equal(source.name, "p");
    assert.deepEqual(source.train.items, Float32Array.of(1, 2, 3, 4));
    assert.deepEqual(source.train.labels.values, Int32Array.of(0, 1));
    assert.deepEqual(source.column, ["x", "y"]);
    await assert.rejects(
      openSource(`${folder}/p.csv`, { column: "whom" }),
      /Cannot find column "whom" in .*p.csv: its columns are who, a, kind, b/,
    );
  });
});

Deno.test("openSource() numbers words in order, and writeDataset() keeps what they are", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/t.csv`, "a,kind\n1,oak\n2,ash\n3,oak\n");
    const source = await openSource(`${folder}/t.csv`);
    assert.deepEqual([source.labelNames, source.classes], [["ash", "oak"], 2]);
    const notes = { ...NOTES, classes: 2, normalise: null, labelNames: source.labelNames };
    const part = pickRows(source.train, Int32Array.of(0, 2));
    await writeDataset(`${folder}/made`, "dataset_config.yaml", part, notes);
    const { spec } = await readDatasetSpec(`${folder}/made`);
    assert.deepEqual(spec.labelNames, ["ash", "oak"]);
    const read = await loadDataset(spec);
    assert.deepEqual([...read.labels, read.classes], [1, 1, 2]);
    // What is divided again keeps its names.
    assert.deepEqual((await openSource(`${folder}/made`)).labelNames, ["ash", "oak"]);
  });
});

Deno.test("readDatasetSpec() counts classes by label_names, and refuses another number", async () => {
  await inFolder(async (folder) => {
    const write = (more: string) =>
      Deno.writeTextFile(
        `${folder}/dataset_config.yaml`,
        `dataset_details: { data_filename: t.csv }\nlabel_names: [oak, ash]\n${more}`,
      );
    await write("");
    await Deno.writeTextFile(`${folder}/t.csv`, "a,kind\n1,ash\n");
    const { spec } = await readDatasetSpec(folder);
    assert.equal(spec.classes, 2);
    assert.deepEqual([...(await loadDataset(spec)).labels], [1]);
    await write("num_classes: 3\n");
    await assert.rejects(
      readDatasetSpec(folder),
      /dataset_config.yaml num_classes must be 2, the number of label_names, or left out: got 3/,
    );
  });
});

Deno.test("openSource() says what it can open", async () => {
  await inFolder(async (folder) => {
    await assert.rejects(
      openSource("cifar10"),
      /neither cifar-10-batches-bin nor .* download its binary version .* with --from/,
    );
    await assert.rejects(openSource(folder), /Cannot tell what --from .* is as it has neither/);
    await assert.rejects(openSource(`${folder}/no`), /as there is no such file: give mnist/);
    await assert.rejects(openSource("mnist", { column: "x" }), /as it is no table/);
  });
});
