/**
 * Writes a dataset's folder: images of bytes with class numbers as a pair of IDX files, all else as
 * one `.npz`, and the description that names them.
 */
import { join } from "node:path";
import { zipSync } from "fflate";
import { stringify } from "yaml";
import type { Normalisation, RawData } from "./dataset.ts";
import { encodeIdx } from "./idx.ts";
import { encodeNpy } from "./npy.ts";

/** What the description says beside the data's own numbers. */
export interface DatasetNotes {
  readonly datasetId: string;
  readonly tags: readonly string[];
  readonly models: readonly string[];
  /** Number of classes; null for a regression. */
  readonly classes: number | null;
  readonly normalise: Normalisation | null;
  /** What class numbers stand for. @default nothing else */
  readonly labelNames?: readonly string[] | null;
  /** One line, how the dataset came to be. */
  readonly comment: string;
}

const IMAGES = "images-idx3-ubyte";
const LABELS = "labels-idx1-ubyte";
const ARRAYS = "data.npz";

/**
 * Writes data and description into a new folder.
 *
 * @param configFile name of the description: a client's or the leader's
 */
export async function writeDataset(
  folder: string,
  configFile: "train_dataset_config.yaml" | "dataset_config.yaml",
  data: RawData,
  notes: DatasetNotes,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const files = encoded(data);
  for (const [name, bytes] of Object.entries(files.contents)) {
    await Deno.writeFile(join(folder, name), bytes);
  }
  await Deno.writeTextFile(join(folder, configFile), description(files.names, data, notes));
}

function encoded({ items, shape, labels }: RawData) {
  const { values, count } = labels;
  const fits = values instanceof Int32Array && values.every((label) => label >= 0 && label < 256);
  if (items instanceof Uint8Array && shape.length === 3 && fits) {
    const sizes = shape[2] === 1 ? [count, shape[0]!, shape[1]!] : [count, ...shape];
    return {
      names: { images: IMAGES, labels: LABELS },
      contents: {
        [IMAGES]: encodeIdx(items, sizes),
        [LABELS]: encodeIdx(Uint8Array.from(values), [count]),
      },
    };
  }
  const arrays = {
    "x.npy": encodeNpy(items, [count, ...shape]),
    "y.npy": encodeNpy(values, [count, ...labels.shape]),
  };
  // Not compressed: read faster, and from any row. The time is fixed, so that bytes repeat.
  const options = { level: 0, mtime: new Date(1980, 0, 1) } as const;
  return { names: ARRAYS, contents: { [ARRAYS]: zipSync(arrays, options) } };
}

function description(
  names: string | { images: string; labels: string },
  { labels }: RawData,
  { datasetId, tags, models, classes, normalise, labelNames, comment }: DatasetNotes,
): string {
  const counts = new Map<number, number>();
  if (classes !== null) {
    for (const label of labels.values) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const fractions = [...counts].sort(([a], [b]) => a - b)
    .map(([label, count]) => [String(label), count / labels.count]);
  const config = {
    dataset_details: {
      data_filename: names,
      dataset_id: datasetId,
      dataset_tags: tags,
      suitable_models: models,
    },
    metadata: {
      num_items: labels.count,
      ...(classes === null ? {} : { label_distribution: Object.fromEntries(fractions) }),
    },
    ...(classes === null ? {} : { num_classes: classes }),
    ...(labelNames && { label_names: labelNames }),
    ...(normalise === null ? {} : { normalize: normalise }),
  };
  return `# ${comment}\n${stringify(config, { flowCollectionPadding: false })}`;
}
