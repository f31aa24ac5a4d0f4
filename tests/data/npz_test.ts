/** NumPy archives: types, shapes and everything that can be wrong with one. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { zipSync } from "fflate";
import { readNpz, summariseNpz } from "../../src/data/npz.ts";
import { parseNpy } from "../../src/data/npy.ts";
import { inFolder } from "./folders.ts";
import { npy } from "./npy_file.ts";

Deno.test("parseNpy() reads f4, f8, u1, i4 and i8", () => {
  const cases = [
    ["<f4", Float32Array.of(1.5, -2), Float32Array.of(1.5, -2)],
    ["<f8", Float64Array.of(1.5, -2), Float32Array.of(1.5, -2)],
    ["|u1", Uint8Array.of(0, 255), Uint8Array.of(0, 255)],
    ["<i4", Int32Array.of(-7, 2 ** 31 - 1), Int32Array.of(-7, 2 ** 31 - 1)],
    ["<i8", BigInt64Array.of(-7n, 12n), Int32Array.of(-7, 12)],
  ] as const;
  for (const [type, stored, expected] of cases) {
    const { values, shape } = parseNpy(npy(type, "(2,)", stored), "f");
    assert.deepEqual(values, expected);
    assert.deepEqual(shape, [2]);
  }
});

Deno.test("parseNpy() reads any shape, scalars included", () => {
  const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
  fc.assert(fc.property(shapes, (shape) => {
    const length = shape.reduce((product, size) => product * size, 1);
    const text = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
    const values = Float32Array.from({ length }, (_, i) => i / 3);
    const read = parseNpy(npy("<f4", text, values), "f");
    assert.deepEqual(read, { values, shape });
  }));
});

Deno.test("parseNpy() refuses what it cannot read", () => {
  const data = Float32Array.of(1, 2, 3, 4);
  const cases: [Uint8Array<ArrayBuffer>, RegExp][] = [
    [new TextEncoder().encode("not an array at all"), /does not start with NumPy's magic number/],
    [npy("<f4", "(2, 2)", data, "True"), /is in Fortran order/],
    [npy(">f4", "(4,)", data), /of type ">f4"/],
    [npy("<c8", "(2,)", data), /of type "<c8"/],
    [npy("<f4", "(5,)", data), /holds 144 bytes: its header states 148/],
    [
      npy("<i8", "(1,)", BigInt64Array.of(2n ** 40n)),
      /element 0 is 1099511627776: at most 32 bits/,
    ],
  ];
  for (const [bytes, expected] of cases) assert.throws(() => parseNpy(bytes, "f"), expected);
});

Deno.test("readNpz() adds the channel axis of grey images and narrows labels", () =>
  inFolder(async (folder) => {
    const x = npy("|u1", "(2, 2, 3)", Uint8Array.from({ length: 12 }, (_, i) => i));
    const y = npy("<i8", "(2, 1)", BigInt64Array.of(1n, 0n));
    await Deno.writeFile(`${folder}/d.npz`, zipSync({ "x.npy": x, "y.npy": y }));
    const { items, shape, labels } = await readNpz(folder, "d.npz");
    assert.equal(items.length, 12);
    assert.deepEqual(shape, [2, 3, 1]);
    assert.deepEqual(labels.values, Int32Array.of(1, 0));
    assert.deepEqual((await summariseNpz(folder, "d.npz")).labels, labels);
  }));

Deno.test("readNpz() keeps sequences and targets of a regression as they are", () =>
  inFolder(async (folder) => {
    const x = npy("<f4", "(2, 5, 1)", new Float32Array(10));
    const y = npy("<f4", "(2, 2)", Float32Array.of(1, 2, 3, 4));
    await Deno.writeFile(`${folder}/d.npz`, zipSync({ "x.npy": x, "y.npy": y }));
    const { shape, labels } = await readNpz(folder, "d.npz");
    assert.deepEqual(shape, [5, 1]);
    assert.deepEqual(labels.shape, [2]);
    assert.deepEqual(labels.values, Float32Array.of(1, 2, 3, 4));
  }));

Deno.test("readNpz() names a missing array and a file that is no zip", () =>
  inFolder(async (folder) => {
    const x = npy("<f4", "(2,)", Float32Array.of(1, 2));
    await Deno.writeFile(`${folder}/d.npz`, zipSync({ "x.npy": x }));
    await assert.rejects(readNpz(folder, "d.npz"), /d.npz as it has no array "y"/);
    await Deno.writeFile(`${folder}/e.npz`, new Uint8Array(100));
    await assert.rejects(readNpz(folder, "e.npz"), /e.npz as it is not a whole zip/);
    await assert.rejects(readNpz(folder, "f.npz"), /f.npz as there is no such file/);
  }));
