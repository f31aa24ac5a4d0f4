/**
 * The file that describes a dataset: `dataset_config.yaml` on the leader,
 * `train_dataset_config.yaml` on a client. Its folder's name is what sessions call the dataset.
 */
import * as v from "valibot";
import {
  names,
  orNull,
  required,
  requiredSection,
  section,
  text,
  wholeNumber,
  withDefault,
} from "./keys.ts";

const fileName = v.pipe(
  v.string(),
  v.nonEmpty(),
  v.check(isInsideFolder, 'must be a file inside the dataset\'s folder, without ".."'),
);

const idxPair = v.strictObject({
  images: required(fileName, "IDX or .npy file of the items, gzip or not"),
  labels: required(fileName, "IDX or .npy file of the labels, gzip or not"),
});

const fraction = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const perChannel = v.union([
  v.pipe(v.number(), v.finite()),
  v.pipe(v.array(v.pipe(v.number(), v.finite())), v.nonEmpty()),
]);
const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const positivePerChannel = v.union([positive, v.pipe(v.array(positive), v.nonEmpty())]);

/** Schema of a dataset's file. */
export const datasetConfigSchema = v.strictObject({
  dataset_details: requiredSection({
    data_filename: required(
      v.union([fileName, idxPair]),
      "File of the items in the dataset's folder, or {images, labels} for a pair of IDX or .npy files",
    ),
    dataset_id: orNull(text, "Name of the data, for people"),
    dataset_tags: withDefault(names, [], "Words that describe the data, for people"),
    suitable_models: withDefault(names, [], "Models that fit the data, for people"),
  }, "What the data are"),
  metadata: section({
    label_distribution: orNull(
      v.record(v.string(), fraction),
      "Fraction of the items by label; null: counted",
    ),
    num_items: orNull(wholeNumber(1), "Number of items; null: counted"),
  }, "What the leader may know of the data"),
  normalize: orNull(
    v.strictObject({
      mean: required(
        perChannel,
        "Value subtracted from an input in [0, 1]: a number, or a list with one a channel",
      ),
      std: required(
        positivePerChannel,
        "Value that divides the difference: a number, or a list with one a channel",
      ),
    }),
    "How to shift and scale images; null: to [0, 1]",
  ),
  num_classes: orNull(
    wholeNumber(1),
    "Number of classes; null: that of label_names, or the highest label plus 1",
  ),
  label_names: orNull(
    v.pipe(
      names,
      v.nonEmpty(),
      v.check((list) => new Set(list).size === list.length, "must not name a label twice"),
    ),
    "Names of the labels in the order of their numbers, where a table's labels are words or images " +
      "lie in folders: the same list for all clients",
  ),
});

/** A valid dataset file. */
export type DatasetConfig = v.InferOutput<typeof datasetConfigSchema>;

function isInsideFolder(path: string): boolean {
  return !path.includes("\0") && !/^[/\\]|^[a-z]:/i.test(path) &&
    !path.split(/[/\\]/).includes("..");
}
