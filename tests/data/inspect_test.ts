/** Inspections, by hand. */
import assert from "node:assert/strict";
import { zipSync } from "fflate";
import type { DatasetSpec } from "../../src/data/dataset.ts";
import { inspectDataset } from "../../src/data/inspect.ts";
import { encodeNpy } from "../../src/data/npy.ts";
import { inFolder } from "./folders.ts";

function spec(folder: string, files: string, classes: number | null = null): DatasetSpec {
  return { name: "D", folder, files, classes, normalise: null };
}

Deno.test("inspectDataset() lists every bad cell of a table and describes the rest", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/t.csv`, "a,b,label\n1,5,0\ncat,6,1\n3,7,\n5,9,1\n");
    const { items, shape, type, values, labels, bad, bad_rows } = await inspectDataset(
      spec(folder, "t.csv"),
    );
    assert.deepEqual({ items, shape, type }, { items: 4, shape: [2], type: "f4" });
    // Of 1, 5, 6, 3, 7, 5, 9: mean 36 / 7, squares 226 / 7.
    assert.equal(values.least, 1);
    assert.equal(values.most, 9);
    assert(Math.abs(values.mean! - 36 / 7) < 1e-12);
    assert(Math.abs(values.std! - Math.sqrt(226 / 7 - (36 / 7) ** 2)) < 1e-12);
    assert.deepEqual(labels, { kind: "classes", classes: 2, counts: [1, 1], names: null });
    assert.equal(bad, 2);
    assert.deepEqual(bad_rows, [
      { row: 2, reason: 'column "a" holds "cat", which is no number' },
      { row: 3, reason: 'column "label" holds "", which is no number' },
    ]);
  });
});

Deno.test("inspectDataset() finds numbers that are not finite and labels out of range", async () => {
  await inFolder(async (folder) => {
    const zip = zipSync({
      "x.npy": encodeNpy(Float32Array.of(1, 2, NaN, 4, 5, Infinity), [3, 2]),
      "y.npy": encodeNpy(Int32Array.of(0, 3, 1), [3]),
    });
    await Deno.writeFile(`${folder}/d.npz`, zip);
    const { bad_rows, labels } = await inspectDataset(spec(folder, "d.npz", 3));
    assert.deepEqual(bad_rows, [
      { row: 2, reason: "number 0 is NaN" },
      { row: 3, reason: "number 1 is Infinity" },
    ]);
    assert.deepEqual(labels, { kind: "classes", classes: 3, counts: [1, 0, 0], names: null });
    const good = zipSync({
      "x.npy": encodeNpy(Uint8Array.of(1, 2, 3), [3, 1]),
      "y.npy": encodeNpy(Int32Array.of(0, 3, -1), [3]),
    });
    await Deno.writeFile(`${folder}/e.npz`, good);
    const declared = await inspectDataset(spec(folder, "e.npz", 3));
    assert.deepEqual(declared.bad_rows.map(({ row, reason }) => `${row}: ${reason}`), [
      "2: label 3: num_classes is 3",
      "3: label -1: num_classes is 3",
    ]);
  });
});

Deno.test("inspectDataset() describes targets, and refuses labels that are not one an item", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/t.csv`, "a,y\n1,0.5\n2,-1.5\n");
    const { labels } = await inspectDataset(spec(folder, "t.csv"));
    assert.deepEqual(labels, {
      kind: "targets",
      shape: [],
      values: { least: -1.5, most: 0.5, mean: -0.5, std: 1 },
    });
    const zip = zipSync({
      "x.npy": encodeNpy(Float32Array.of(1, 2), [2, 1]),
      "y.npy": encodeNpy(Int32Array.of(0), [1]),
    });
    await Deno.writeFile(`${folder}/d.npz`, zip);
    await assert.rejects(inspectDataset(spec(folder, "d.npz")), /D of 2 items: .* has 1 labels/);
  });
});
