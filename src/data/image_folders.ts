/**
 * Images by class: a folder a class, in it PNG and JPEG files of one size. Classes are numbered in
 * the order of their folders' names (as numbers if all are). The first image says whether all are
 * grey or in colour.
 */
import { DataError, messageOf } from "../core/errors.ts";
import type { RawData } from "./dataset.ts";
import { findFile, readBytes } from "./folder.ts";
import { decodeImage, isImageName } from "./image.ts";

/** Where an image is and what it shows. */
interface LabelledImage {
  /** Relative to the dataset's folder. */
  readonly path: string;
  readonly label: number;
}

/**
 * Reads all images below a folder.
 *
 * @param root of the class folders, relative to the dataset's folder; may be `.`
 * @throws {DataError} no class folder, no image, one that cannot be decoded or is of another size
 */
export async function readImageFolders(folder: string, root: string): Promise<RawData> {
  const images = await listImages(folder, root);
  let shape: readonly number[] | null = null;
  let items = new Uint8Array();
  for (const [i, { path }] of images.entries()) {
    const file = await findFile(folder, path);
    const image = await decodeImage(await readBytes(file), file.label, shape?.[2] ?? null);
    const own = [image.height, image.width, image.channels];
    if (shape === null) {
      shape = own;
      items = new Uint8Array(images.length * image.pixels.length);
    }
    if (own.some((size, axis) => size !== shape![axis])) {
      throw new DataError(
        `Cannot use ${file.label} of ${own[1]} x ${own[0]} pixels as the first image has ` +
          `${shape[1]} x ${shape[0]}: all must have one size`,
      );
    }
    items.set(image.pixels, i * image.pixels.length);
  }
  return { items, shape: shape!, labels: labelsOf(images, root) };
}

/** Reads names only. */
export async function summariseImageFolders(folder: string, root: string) {
  const images = await listImages(folder, root);
  return { count: images.length, labels: labelsOf(images, root) };
}

function labelsOf(images: readonly LabelledImage[], root: string) {
  const values = Int32Array.from(images, ({ label }) => label);
  return { values, shape: [], count: images.length, source: `the folders in ${root}` };
}

async function listImages(folder: string, root: string): Promise<LabelledImage[]> {
  const place = root === "." ? { path: folder, label: folder } : await findFile(folder, root);
  const prefix = root === "." ? "" : `${root}/`;
  const classes = (await namesIn(place.path, place.label))
    .filter(({ isDirectory, name }) => isDirectory && !name.startsWith("."))
    .map(({ name }) => name)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const images: LabelledImage[] = [];
  for (const [label, name] of classes.entries()) {
    const entries = await namesIn(`${place.path}/${name}`, `${place.label}/${name}`);
    const files = entries.filter((entry) => isImageName(entry.name)).map((entry) => entry.name);
    for (const file of files.sort()) images.push({ path: `${prefix}${name}/${file}`, label });
  }
  if (images.length > 0) return images;
  throw new DataError(
    `Cannot find an image in ${place.label}: each class is a folder there with .png or .jpg files`,
  );
}

async function namesIn(path: string, label: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(path));
  } catch (error) {
    throw new DataError(`Cannot read the folder ${label}: ${messageOf(error)}`);
  }
}
