/** Folders of images by class. */
import assert from "node:assert/strict";
import { encode as encodePng } from "fast-png";
import jpeg from "jpeg-js";
import { decodeImage } from "../../src/data/image.ts";
import { streamImageFolders, summariseImageFolders } from "../../src/data/image_folders.ts";
import { gathered } from "../../src/data/streamed.ts";
import { inFolder } from "./folders.ts";

async function readImages(...args: Parameters<typeof streamImageFolders>) {
  return await gathered(await streamImageFolders(...args));
}

function png(data: number[], channels: 1 | 2 | 3 | 4, width = 2): Uint8Array {
  const height = data.length / channels / width;
  return encodePng({ width, height, channels, depth: 8, data: Uint8Array.from(data) });
}

async function write(folder: string, files: Readonly<Record<string, Uint8Array>>) {
  for (const [name, bytes] of Object.entries(files)) {
    const path = `${folder}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(path, bytes);
  }
}

Deno.test("streamImageFolders() numbers classes by folder and keeps grey images grey", () =>
  inFolder(async (folder) => {
    await write(folder, {
      "train/10/a.png": png([9, 8], 1),
      "train/9/b.png": png([3, 4], 1),
      "train/9/a.PNG": png([1, 2], 1),
      "train/9/notes.txt": Uint8Array.of(1),
    });
    const { items, shape, labels } = await readImages(folder, "train");
    assert.deepEqual(shape, [1, 2, 1]);
    assert.deepEqual(items, Uint8Array.of(1, 2, 3, 4, 9, 8));
    assert.deepEqual(labels.values, Int32Array.of(0, 0, 1));
    assert.equal((await summariseImageFolders(folder, "train")).count, 3);
  }));

Deno.test("streamImageFolders() numbers classes by the given names, of which one may have no folder", () =>
  inFolder(async (folder) => {
    await write(folder, { "oak/a.png": png([1, 2], 1), "ash/a.png": png([3, 4], 1) });
    const { labels } = await readImages(folder, ".", ["oak", "fir", "ash"]);
    assert.deepEqual(labels.values, Int32Array.of(2, 0));
    await assert.rejects(
      readImages(folder, ".", ["oak"]),
      /Cannot number the images in .*\/ash as label_names .* does not list "ash"/,
    );
  }));

Deno.test("streamImageFolders() names an image of another size, one that is damaged, and no image", () =>
  inFolder(async (folder) => {
    await assert.rejects(readImages(folder, "."), /Cannot find an image in/);
    await write(folder, { "a/1.png": png([1, 2], 1), "a/2.png": png([1, 2, 3], 1, 3) });
    await assert.rejects(
      readImages(folder, "."),
      /a\/2.png of 3 x 1 pixels as the first image has 2 x 1: all must have one size/,
    );
    await write(folder, { "a/2.png": png([1, 2], 1).subarray(0, 40) });
    await assert.rejects(readImages(folder, "."), /Cannot decode .*a\/2.png as an image/);
    await write(folder, { "a/2.png": Uint8Array.of(1, 2, 3) });
    await assert.rejects(readImages(folder, "."), /begins neither as PNG nor as JPEG/);
  }));

Deno.test("decodeImage() leaves transparency out and turns colours into grey and back", async () => {
  const colour = png([255, 0, 0, 128, 0, 0, 255, 255], 4);
  assert.deepEqual(
    (await decodeImage(colour, "i", null)).pixels,
    Uint8Array.of(255, 0, 0, 0, 0, 255),
  );
  // 0.299 * 255 and 0.114 * 255.
  assert.deepEqual((await decodeImage(colour, "i", 1)).pixels, Uint8Array.of(76, 29));
  const grey = png([7, 255, 8, 255], 2);
  assert.deepEqual((await decodeImage(grey, "i", 3)).pixels, Uint8Array.of(7, 7, 7, 8, 8, 8));
});

Deno.test("decodeImage() decodes JPEG near to what was encoded", async () => {
  const data = new Uint8Array(8 * 8 * 4).fill(200);
  const { data: bytes } = jpeg.encode({ width: 8, height: 8, data }, 95);
  const image = await decodeImage(new Uint8Array(bytes), "i", null);
  assert.deepEqual([image.height, image.width, image.channels], [8, 8, 3]);
  assert.equal(image.pixels.length, 8 * 8 * 3);
  assert(image.pixels.every((value) => Math.abs(value - 200) <= 3));
});
