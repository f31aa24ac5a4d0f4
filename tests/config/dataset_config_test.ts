/** The files of datasets and model packages. */
import assert from "node:assert/strict";
import { datasetConfigSchema } from "../../src/config/dataset_config.ts";
import { parseConfig } from "../../src/config/load.ts";
import { modelConfigSchema } from "../../src/config/model_config.ts";
import { problemsOf } from "./registries.ts";

function dataset(text: string) {
  return parseConfig(datasetConfigSchema, text, "dataset_config.yaml");
}

Deno.test("a dataset file needs its data's file name alone", () => {
  assert.deepEqual(dataset("dataset_details: {data_filename: train.npz}"), {
    dataset_details: {
      data_filename: "train.npz",
      dataset_id: null,
      dataset_tags: [],
      suitable_models: [],
    },
    metadata: { label_distribution: null, num_items: null },
    normalize: null,
    num_classes: null,
    label_names: null,
  });
});

Deno.test("a dataset file may name an IDX pair, label fractions and channels' scales", () => {
  const config = dataset(`dataset_details:
  data_filename: {images: raw/images.gz, labels: raw/labels.gz}
  dataset_tags: [IMAGE]
metadata:
  label_distribution: {0: 0.25, 1: 0.75}
  num_items: 4
normalize:
  mean: [0.5, 0.4, 0.3]
  std: 0.25
num_classes: 2
`);
  assert.deepEqual(config.dataset_details.data_filename, {
    images: "raw/images.gz",
    labels: "raw/labels.gz",
  });
  assert.deepEqual(config.metadata.label_distribution, { 0: 0.25, 1: 0.75 });
  assert.deepEqual(config.normalize, { mean: [0.5, 0.4, 0.3], std: 0.25 });
});

Deno.test("a dataset file without its data's file name is refused", () => {
  assert.deepEqual(problemsOf(() => dataset("")), [
    "dataset_config.yaml dataset_details.data_filename is missing: write the file of the items in the dataset's folder, or {images, labels} for a pair of IDX or .npy files",
  ]);
});

const bad: readonly [text: string, message: string][] = [
  [
    "{data_filename: ../x.npz}",
    '34 dataset_details.data_filename must be a file inside the dataset\'s folder, without "..": got "../x.npz"',
  ],
  [
    "{data_filename: /x.npz}",
    '34 dataset_details.data_filename must be a file inside the dataset\'s folder, without "..": got "/x.npz"',
  ],
  [
    "{data_filename: 5}",
    "34 dataset_details.data_filename must be text or a section of keys: got 5",
  ],
  [
    "{data_filename: [a, b]}",
    "19 dataset_details.data_filename must be text or a section of keys: got a list",
  ],
  [
    "{data_filename: {images: a}}",
    "19 dataset_details.data_filename.labels is missing: write the IDX or .npy file of the labels, gzip or not",
  ],
  [
    "{data_filename: {images: a, labels: b, label: c}}",
    '57 dataset_details.data_filename.label is not a known key; did you mean "labels"?',
  ],
  [
    "{data_filename: {images: a, labels: ../b}}",
    '54 dataset_details.data_filename.labels must be a file inside the dataset\'s folder, without "..": got "../b"',
  ],
  [
    "{data_filename: a, dataset_tags: IMAGE}",
    '51 dataset_details.dataset_tags must be a list: got "IMAGE"',
  ],
  [
    "{data_filename: a, dataset_tags: [x, 5]}",
    "55 dataset_details.dataset_tags[1] must be text: got 5, write it in quotes",
  ],
];

for (const [details, message] of bad) {
  Deno.test(`a dataset file with ${details} is refused`, () => {
    assert.deepEqual(problemsOf(() => dataset(`dataset_details: ${details}`)), [
      `dataset_config.yaml:1:${message}`,
    ]);
  });
}

Deno.test("a dataset file with impossible numbers is refused", () => {
  const text = `dataset_details: {data_filename: a}
metadata: {label_distribution: {a: 1.5, b: x}, num_items: 0}
normalize: {mean: x, std: [1, 0]}
num_classes: 2.5
`;
  assert.deepEqual(problemsOf(() => dataset(text)), [
    "dataset_config.yaml:2:36 metadata.label_distribution.a must be at most 1: got 1.5",
    'dataset_config.yaml:2:44 metadata.label_distribution.b must be a number: got "x"',
    "dataset_config.yaml:2:59 metadata.num_items must be at least 1: got 0",
    'dataset_config.yaml:3:19 normalize.mean must be a number or a list: got "x"',
    "dataset_config.yaml:3:31 normalize.std[1] must be more than 0: got 0",
    "dataset_config.yaml:4:14 num_classes must be a whole number: got 2.5",
  ]);
});

Deno.test("a model file may be empty", () => {
  const config = parseConfig(modelConfigSchema, "", "config.yaml");
  assert.deepEqual(config.model_details, {
    model_id: null,
    model_class: null,
    model_tags: [],
    suitable_datasets: [],
  });
  assert.deepEqual(config.default_training_config.model_args, {});
});

Deno.test("a model file gives its own defaults for a session's model_config", () => {
  const text = "default_training_config:\n  use_custom_trainer: False\n  model_args: {hidden: 8}\n";
  const config = parseConfig(modelConfigSchema, text, "config.yaml");
  assert.deepEqual(config.default_training_config.model_args, { hidden: 8 });
});

Deno.test("a dataset file names each label once", () => {
  const problems = problemsOf(() =>
    dataset("dataset_details: {data_filename: a.csv}\nlabel_names: [oak, oak]")
  );
  assert.deepEqual(problems, [
    "dataset_config.yaml:2:1 label_names must not name a label twice: got a list",
  ]);
});
