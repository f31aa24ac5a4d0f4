/** Whole datasets: configuration, checks, description. */
import assert from "node:assert/strict";
import { encodeIdx } from "../../src/data/idx.ts";
import { describeDataset } from "../../src/data/describe.ts";
import { loadDataset } from "../../src/data/load.ts";
import { readDatasetSpec } from "../../src/data/spec.ts";
import { inFolder } from "./folders.ts";

async function writePair(
  folder: string,
  labels: readonly number[],
  more = "",
  images = labels.length,
) {
  await Deno.writeFile(`${folder}/i`, encodeIdx(new Uint8Array(images * 4), [images, 2, 2]));
  await Deno.writeFile(`${folder}/l`, encodeIdx(Uint8Array.from(labels), [labels.length]));
  await writeConfig(folder, "{ images: i, labels: l }", more);
}

function writeConfig(folder: string, file: string, more = "") {
  const text = `dataset_details:\n  data_filename: ${file}\n  dataset_id: ID\n${more}`;
  return Deno.writeTextFile(`${folder}/dataset_config.yaml`, text);
}

const load = async (folder: string) => loadDataset((await readDatasetSpec(folder)).spec);

Deno.test("loadDataset() counts items by class", () =>
  inFolder(async (folder) => {
    await writePair(folder, [2, 0, 2, 2]);
    const { count, classes, classesDeclared, labelCounts, items, shape } = await load(folder);
    assert.equal(count, 4);
    assert.equal(classes, 3);
    assert.equal(classesDeclared, false);
    assert.deepEqual(labelCounts, [1, 0, 3]);
    assert.ok(items instanceof Uint8Array);
    assert.deepEqual(shape, [2, 2, 1]);
  }));

Deno.test("loadDataset() names the row of a label that is out of range", () =>
  inFolder(async (folder) => {
    await writePair(folder, [0, 1, 5], "num_classes: 3\n");
    await assert.rejects(load(folder), /\/l with label 5 in row 3: num_classes is 3$/);
  }));

Deno.test("loadDataset() refuses no items, and as many images as not labels", () =>
  inFolder(async (folder) => {
    await writePair(folder, []);
    await assert.rejects(load(folder), /\/l holds no items$/);
    await writePair(folder, [0, 1], "", 3);
    await assert.rejects(load(folder), /of 3 items: .*\/l has 2 labels$/);
    await assert.rejects(describeDataset(folder), /of 3 items: .*\/l has 2 labels$/);
  }));

Deno.test("loadDataset() refuses a normalisation that does not fit the channels", () =>
  inFolder(async (folder) => {
    await writePair(folder, [0], "normalize: { mean: [0.5, 0.5, 0.5], std: 0.5 }\n");
    await assert.rejects(
      load(folder),
      /3 numbers in normalize.mean: .* \[2,2,1\] have 1 channels$/,
    );
  }));

Deno.test("loadDataset() refuses a file outside the folder, a link out of it, an unknown format", () =>
  inFolder(async (outer) => {
    const folder = `${outer}/data`;
    await Deno.mkdir(folder);
    await Deno.writeTextFile(`${outer}/t.csv`, "a,y\n1,0\n");
    await writeConfig(folder, "../t.csv");
    await assert.rejects(load(folder), /data_filename/);
    await writeConfig(folder, "link.csv");
    await Deno.symlink(`${outer}/t.csv`, `${folder}/link.csv`);
    await assert.rejects(load(folder), /link.csv as it lies outside its dataset's folder/);
    await writeConfig(folder, "t.pth");
    await assert.rejects(load(folder), /t.pth as its extension names no known format: .npz, .csv/);
    const { spec } = await readDatasetSpec(folder);
    await assert.rejects(loadDataset({ ...spec, files: "../t.csv" }), /lies outside its dataset/);
  }));

Deno.test("loadDataset() reads a folder that is itself a link", () =>
  inFolder(async (outer) => {
    await Deno.mkdir(`${outer}/real`);
    await writePair(`${outer}/real`, [0, 1]);
    await Deno.symlink(`${outer}/real`, `${outer}/MNIST`);
    const dataset = await load(`${outer}/MNIST`);
    assert.equal(dataset.name, "MNIST");
    assert.equal(dataset.count, 2);
  }));

Deno.test("readDatasetSpec() names a missing folder, a missing and a wrong configuration", () =>
  inFolder(async (folder) => {
    await assert.rejects(readDatasetSpec(`${folder}/x`), /\/x: there is no such folder$/);
    await assert.rejects(
      readDatasetSpec(folder),
      /has no train_dataset_config.yaml or dataset_config/,
    );
    await writeConfig(folder, "t.csv", "colour: red\n");
    await assert.rejects(readDatasetSpec(folder), /dataset_config.yaml:4.*colour/s);
  }));

Deno.test("describeDataset() computes what the configuration leaves out", () =>
  inFolder(async (folder) => {
    await writePair(folder, [1, 1, 0, 1]);
    const { dataset_details, metadata } = await describeDataset(folder);
    assert.equal(dataset_details["dataset_id"], "ID");
    assert.equal("data_filename" in dataset_details, false);
    assert.deepEqual(metadata, { num_items: 4, label_distribution: { "0": 0.25, "1": 0.75 } });
  }));

Deno.test("describeDataset() refuses a label in the configuration that the data have not", () =>
  inFolder(async (folder) => {
    const describe = async (distribution: string) => {
      await writePair(
        folder,
        [1, 1, 0, 3],
        `metadata: { label_distribution: ${distribution} }\n`,
      );
      return (await describeDataset(folder)).metadata.label_distribution;
    };
    await assert.rejects(describe("{ 0: 0.5, 2: 0.5 }"), {
      name: "DataError",
      message:
        `Cannot use metadata.label_distribution of ${folder} as it has label "2", of which ` +
        "the data have no item: their labels are 0, 1, 3; without the key they are counted",
    });
    await assert.rejects(describe("{ cat: 1 }"), /label "cat"/);
    assert.deepEqual(await describe("{ 1: 0.6, 2: 0 }"), { "1": 0.6, "2": 0 });
  }));

Deno.test("describeDataset() gives no label distribution for a regression", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/t.csv`, "a,y\n1,0.5\n2,0.25\n");
    await writeConfig(folder, "t.csv");
    assert.deepEqual((await describeDataset(folder)).metadata, { num_items: 2 });
  }));
