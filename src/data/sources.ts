/** What can be partitioned: data that come with Flotilla, well-known folders, any dataset's folder or file. */
import { existsSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { UsageError } from "../core/errors.ts";
import { CIFAR10_FILES, readCifar10 } from "./cifar10.ts";
import { openCsv } from "./csv.ts";
import type { Normalisation, RawData } from "./dataset.ts";
import { isImageName } from "./image.ts";
import { streamImageFolders } from "./image_folders.ts";
import { tellingNames } from "./label_names.ts";
import { MNIST_FILES, readMnist } from "./mnist.ts";
import { openParquet } from "./parquet.ts";
import { readerOf } from "./readers.ts";
import { DATASET_CONFIG_FILES, readDatasetSpec } from "./spec.ts";
import { gathered } from "./streamed.ts";
import { columnText, streamTable, type TableChoice } from "./table.ts";

/** Data to divide, not checked yet. */
export interface Source {
  /** Name of the datasets that are made of it. */
  readonly name: string;
  readonly train: RawData;
  /** Its own test set; null if one is to be held out. */
  readonly test: RawData | null;
  /** Number of classes where a configuration declares it. */
  readonly classes: number | null;
  readonly normalise: Normalisation | null;
  /** What the class numbers stand for, if that is known. */
  readonly labelNames: readonly string[] | null;
  /** Cells of the column that was asked for. */
  readonly column: readonly string[] | null;
  /** Models that fit, for people. */
  readonly models: readonly string[];
}

/** What is read of a table. */
export interface SourceOptions {
  /** Column whose cells are wanted; it is then no part of the items. */
  readonly column?: string;
  /** Column of the labels. @default {"label", or else the last one} */
  readonly label?: string;
}

const KNOWN = "mnist, cifar10, a folder of MNIST's or CIFAR-10's files, a folder of a dataset, " +
  "of class folders with images, or a .npz, .csv or .parquet file";

const CIFAR10_PLACES = ["cifar-10-batches-bin", "data/cifar-10-batches-bin"];

const TABLE = /\.(csv(\.gz)?|parquet)$/i;

/**
 * Opens what `--from` names.
 *
 * @throws {UsageError} there is nothing of this name, or a column is asked for where there are none
 * @throws {DataError} its files cannot be read
 */
export async function openSource(from: string, options: SourceOptions = {}): Promise<Source> {
  const { column, label } = options;
  const isTable = TABLE.test(from);
  if (!isTable && (column !== undefined || label !== undefined)) {
    throw new UsageError(
      `Cannot choose a column of ${from} as it is no table: --column and --label want a .csv or .parquet file`,
    );
  }
  if (from === "mnist") return mnist(await readMnist("train"), await readMnist("test"));
  const path = from === "cifar10" ? cifar10Folder() : resolve(from);
  if (!existsSync(path)) {
    throw new UsageError(`Cannot read --from "${from}" as there is no such file: give ${KNOWN}`);
  }
  const real = await Deno.realPath(path);
  return statSync(real).isDirectory()
    ? await openFolder(real, from)
    : await openFile(real, options);
}

/** Where CIFAR-10 is after it was unpacked. @throws {UsageError} it is not there */
function cifar10Folder(): string {
  const folder = CIFAR10_PLACES.find((place) => existsSync(resolve(place)));
  if (folder !== undefined) return resolve(folder);
  throw new UsageError(
    `Cannot find CIFAR-10 as neither ${CIFAR10_PLACES.join(" nor ")} is here: no package carries ` +
      "it; download its binary version (cifar-10-binary.tar.gz of " +
      "https://www.cs.toronto.edu/~kriz/cifar.html), unpack it here, or name the folder with --from",
  );
}

async function openFolder(folder: string, from: string): Promise<Source> {
  const has = (name: string) => existsSync(`${folder}/${name}`);
  if (DATASET_CONFIG_FILES.some(has)) {
    const { spec } = await readDatasetSpec(folder);
    const train = await readerOf(spec).read(spec.folder);
    const { name, classes, normalise, labelNames } = spec;
    return {
      ...plain(name, train),
      classes,
      normalise,
      ...(Array.isArray(labelNames) && { labelNames }),
    };
  }
  const packed = (name: string) => has(name) ? name : `${name}.gz`;
  if (has(packed(MNIST_FILES.train.images))) {
    const half = ({ images, labels }: typeof MNIST_FILES[keyof typeof MNIST_FILES]) =>
      readerOf({ name: "MNIST", files: { images: packed(images), labels: packed(labels) } })
        .read(folder);
    return mnist(await half(MNIST_FILES.train), await half(MNIST_FILES.test));
  }
  if (has(CIFAR10_FILES.train[0]!)) {
    return {
      ...plain("CIFAR10", await readCifar10(folder, CIFAR10_FILES.train)),
      test: await readCifar10(folder, CIFAR10_FILES.test),
      classes: 10,
      models: ["FedAT_CNN", "AlexNet", "VGG", "MobileNet", "ResNet"],
    };
  }
  const inner = [...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory);
  const hasImages = inner.some(({ name }) =>
    [...Deno.readDirSync(`${folder}/${name}`)].some((entry) => isImageName(entry.name))
  );
  if (hasImages) {
    return plain(basename(folder), await gathered(await streamImageFolders(folder, ".")));
  }
  throw new UsageError(
    `Cannot tell what --from "${from}" is as it has neither ${
      DATASET_CONFIG_FILES.join(" nor ")
    } ` +
      `nor known files: give ${KNOWN}`,
  );
}

async function openFile(path: string, { column, label }: SourceOptions): Promise<Source> {
  const file = basename(path);
  const name = file.replace(/\.[^.]*(\.gz)?$/, "");
  if (!TABLE.test(file)) {
    return plain(name, await readerOf({ name, files: file }).read(dirname(path)));
  }
  const open = /\.parquet$/i.test(file) ? openParquet : openCsv;
  const table = await open(dirname(path), file);
  const choice: TableChoice = {
    labelNames: "sorted",
    ...(label === undefined ? {} : { label }),
    ...(column === undefined ? {} : { without: column }),
  };
  const train = await gathered(await streamTable(table, choice));
  const cells = column === undefined ? null : await columnText(table, column);
  return { ...plain(name, train), column: cells, models: ["Linear", "TableMLP"] };
}

function mnist(train: RawData, test: RawData): Source {
  return { ...plain("MNIST", train), test, classes: 10, models: ["LeNet5", "MLP"] };
}

function plain(name: string, train: RawData): Source {
  const labelNames = train.labels.names === undefined ? null : tellingNames(train.labels.names);
  const classes = labelNames?.length ?? null;
  return {
    name,
    train,
    test: null,
    classes,
    normalise: null,
    labelNames,
    column: null,
    models: [],
  };
}
