/** Reads the file that describes a dataset into plain data that a worker can load from. */
import { existsSync } from "node:fs";
import { type DatasetConfig, datasetConfigSchema } from "../config/dataset_config.ts";
import { parseConfig, readConfigText } from "../config/load.ts";
import { ConfigError, DataError, messageOf } from "../core/errors.ts";
import type { DatasetSpec } from "./dataset.ts";

/** File names that describe a dataset, in the order they are looked for. */
export const DATASET_CONFIG_FILES = ["train_dataset_config.yaml", "dataset_config.yaml"] as const;

/**
 * Reads a dataset's configuration.
 *
 * @param folder the dataset's folder; its name is the dataset's name
 * @throws {DataError} the folder or its configuration file is missing
 * @throws {ConfigError} the configuration file is wrong
 */
export async function readDatasetSpec(
  folder: string,
): Promise<{ spec: DatasetSpec; config: DatasetConfig }> {
  let real: string;
  try {
    // Permissions and links are judged by real paths, so that a linked data folder works.
    real = await Deno.realPath(folder);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound ? "there is no such folder" : "";
    throw new DataError(`Cannot read dataset folder ${folder}: ${reason || messageOf(error)}`);
  }
  const { config, file } = await readConfig(folder);
  const { mean, std } = config.normalize ?? {};
  const { num_classes: classes, label_names: labelNames } = config;
  if (labelNames !== null && classes !== null && classes !== labelNames.length) {
    throw new ConfigError(
      `must be ${labelNames.length}, the number of label_names, or left out: got ${classes}`,
      { file, key: "num_classes" },
    );
  }
  const spec: DatasetSpec = {
    name: folder.replace(/[\\/]+$/, "").split(/[\\/]/).at(-1)!,
    folder: real,
    files: config.dataset_details.data_filename,
    classes: classes ?? labelNames?.length ?? null,
    normalise: mean === undefined || std === undefined ? null : { mean, std },
    ...(labelNames !== null && { labelNames }),
  };
  return { spec, config };
}

async function readConfig(folder: string): Promise<{ config: DatasetConfig; file: string }> {
  for (const name of DATASET_CONFIG_FILES) {
    const file = `${folder}/${name}`;
    if (!existsSync(file)) continue;
    return { config: parseConfig(datasetConfigSchema, await readConfigText(file), file), file };
  }
  throw new DataError(
    `Cannot read dataset folder ${folder} as it has no ${DATASET_CONFIG_FILES.join(" or ")}`,
  );
}
