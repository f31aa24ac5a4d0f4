/**
 * Images by class: a folder a class, in it PNG and JPEG files of one size. Classes are numbered by
 * `label_names` of the dataset's configuration, or else in the order of their folders' names. The first image says whether all are
 * grey or in colour.
 */
import { DataError, messageOf } from "../core/errors.ts";
import type { StreamedData } from "./dataset.ts";
import { findFile, readBytes } from "./folder.ts";
import { decodeImage, isImageName } from "./image.ts";
import type { LabelNames } from "./label_names.ts";

/** Where an image is and what it shows. */
interface LabelledImage {
  /** Relative to the dataset's folder. */
  readonly path: string;
  readonly label: number;
}

/**
 * Reads all images below a folder, one at a time.
 *
 * @param root of the class folders, relative to the dataset's folder; may be `.`
 * @param labelNames what numbers the folders
 * @throws {DataError} no class folder, one that is not among the names, no image, or (with the part
 * that it would be) one that cannot be decoded or is of another size
 */
export async function streamImageFolders(
  folder: string,
  root: string,
  labelNames: LabelNames = "sorted",
): Promise<StreamedData> {
  const { images, names } = await listImages(folder, root, labelNames);
  const decoded = async ({ path }: LabelledImage, channels: number | null) => {
    const file = await findFile(folder, path);
    return { file, ...await decodeImage(await readBytes(file), file.label, channels) };
  };
  const { height, width, channels } = await decoded(images[0]!, null);
  return {
    type: "u8",
    shape: [height, width, channels],
    byteLength: images.length * height * width * channels,
    async *parts() {
      for (const each of images) {
        const image = await decoded(each, channels);
        if (image.height !== height || image.width !== width) {
          throw new DataError(
            `Cannot use ${image.file.label} of ${image.width} x ${image.height} pixels as the ` +
              `first image has ${width} x ${height}: all must have one size`,
          );
        }
        yield image.pixels;
      }
    },
    labels: () => labelsOf(images, root, names),
  };
}

/** Reads names only. */
export async function summariseImageFolders(
  folder: string,
  root: string,
  labelNames: LabelNames = "sorted",
) {
  const { images, names } = await listImages(folder, root, labelNames);
  return { count: images.length, labels: labelsOf(images, root, names) };
}

function labelsOf(images: readonly LabelledImage[], root: string, names: readonly string[]) {
  const values = Int32Array.from(images, ({ label }) => label);
  return { values, shape: [], count: images.length, source: `the folders in ${root}`, names };
}

async function listImages(folder: string, root: string, labelNames: LabelNames) {
  const place = root === "." ? { path: folder, label: folder } : await findFile(folder, root);
  const prefix = root === "." ? "" : `${root}/`;
  const found = (await namesIn(place.path, place.label))
    .filter(({ isDirectory, name }) => isDirectory && !name.startsWith("."))
    .map(({ name }) => name)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const names = labelNames === "sorted" ? found : labelNames;
  const images: LabelledImage[] = [];
  for (const name of found) {
    const label = names.indexOf(name);
    if (label < 0) {
      throw new DataError(
        `Cannot number the images in ${place.label}/${name} as label_names of the dataset's ` +
          `configuration does not list "${name}"`,
      );
    }
    const entries = await namesIn(`${place.path}/${name}`, `${place.label}/${name}`);
    const files = entries.filter((entry) => isImageName(entry.name)).map((entry) => entry.name);
    for (const file of files.sort()) images.push({ path: `${prefix}${name}/${file}`, label });
  }
  if (images.length > 0) return { images, names };
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
