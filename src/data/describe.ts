/** What a client tells the leader of its datasets: computed where the configuration is silent. */
import type { JsonObject } from "../core/json.ts";
import type { DatasetDescription } from "../discovery/discovery.ts";
import { DataError } from "../core/errors.ts";
import { checkCount, countLabels } from "./load.ts";
import { readerOf } from "./readers.ts";
import { readDatasetSpec } from "./spec.ts";

/**
 * Describes the dataset in a folder without loading its items, where the format allows that: of a
 * pair of IDX files only the images' header and the labels are read.
 *
 * @throws {DataError} the folder, its configuration or its files cannot be read, or the
 *   configuration tells of a label that the data have not
 * @throws {ConfigError} the configuration is wrong
 */
export async function describeDataset(folder: string): Promise<DatasetDescription> {
  const { spec, config } = await readDatasetSpec(folder);
  const { data_filename: _, ...details } = config.dataset_details;
  const { label_distribution, num_items } = config.metadata;
  const { count, labels } = await readerOf(spec).summarise(spec.folder);
  checkCount(spec, count, labels);
  const { labelCounts } = countLabels(labels, spec.classes);
  const counted = labelCounts === null
    ? null
    : Object.fromEntries(labelCounts.map((items, label) => [String(label), items / count]));
  if (label_distribution !== null && counted !== null) {
    checkLabels(folder, label_distribution, counted);
  }
  const distribution = label_distribution ?? counted;
  return {
    dataset_details: details as JsonObject,
    metadata: {
      num_items: num_items ?? count,
      ...(distribution === null ? {} : { label_distribution: distribution }),
    },
  };
}

function checkLabels(
  folder: string,
  declared: Readonly<Record<string, number>>,
  counted: Readonly<Record<string, number>>,
): void {
  const present = Object.keys(counted).filter((label) => counted[label]! > 0);
  const missing = Object.keys(declared)
    .find((label) => declared[label]! > 0 && !present.includes(label));
  if (missing === undefined) return;
  throw new DataError(
    `Cannot use metadata.label_distribution of ${folder} as it has label "${missing}", of which ` +
      `the data have no item: their labels are ${
        present.join(", ")
      }; without the key they are counted`,
  );
}
