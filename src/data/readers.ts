/** The registry of data formats: which file is read by which reader. */
import { DataError } from "../core/errors.ts";
import type {
  DataFiles,
  DatasetSpec,
  RawData,
  RawLabels,
  StoredData,
  StreamedData,
} from "./dataset.ts";
import { type IdxPair, openIdxPair, readIdxPair, streamIdxPair, summariseIdxPair } from "./idx.ts";
import { gathered, labelsAlone } from "./streamed.ts";
import type { OnBadCell, Table } from "./table.ts";

/** Labels and the number of items, read without loading the items where the format allows it. */
export interface LabelSummary {
  readonly count: number;
  readonly labels: RawLabels;
}

interface Reader {
  /** @param onBad gets the cells of a table that are not numbers; without it they are an error */
  read(folder: string, onBad?: OnBadCell): Promise<RawData>;
  summarise(folder: string): Promise<LabelSummary>;
  /**
   * As `read`, with items that stay on disk; null if they take at most so many bytes in memory, or
   * lie in the file in a form that must be unpacked.
   */
  open?(folder: string, budgetBytes: number): Promise<StoredData | null>;
  /**
   * As `read`, with items that are read some at a time; null if they cannot be found before the whole
   * file is unpacked.
   */
  stream(folder: string, onBad?: OnBadCell): Promise<StreamedData | null>;
  /**
   * Whether items surely take at most so many bytes in memory, where their number is not known
   * before all are read.
   */
  surelyFits?(folder: string, budgetBytes: number): Promise<boolean>;
}

/** How a file's labels are numbered. */
type Numbering = Pick<DatasetSpec, "labelNames">;

/** Readers of single files by extension; each loads its library only when it is used. */
const BY_EXTENSION: Readonly<Record<string, (name: string, numbering: Numbering) => Reader>> = {
  ".npz": (name) => ({
    read: async (folder) => (await import("./npz.ts")).readNpz(folder, name),
    summarise: async (folder) => (await import("./npz.ts")).summariseNpz(folder, name),
    open: async (folder, budget) => (await import("./npz_items.ts")).openNpz(folder, name, budget),
    stream: async (folder) => (await import("./npz_items.ts")).streamNpz(folder, name),
  }),
  ".csv": (name, numbering) => ({
    ...table(async (folder) => (await import("./csv.ts")).openCsv(folder, name), numbering),
    surelyFits: async (folder, budget) =>
      (await import("./csv.ts")).csvSurelyFits(folder, name, budget),
  }),
  ".parquet": (name, numbering) =>
    table(async (folder) => (await import("./parquet.ts")).openParquet(folder, name), numbering),
};

/** A reader of tables, which have to be read as a whole for their labels too. */
function table(open: (folder: string) => Promise<Table>, numbering: Numbering): Reader {
  const stream = async (folder: string, onBad?: OnBadCell) =>
    (await import("./table.ts")).streamTable(await open(folder), numbering, onBad);
  return {
    read: async (folder, onBad) => gathered(await stream(folder, onBad)),
    async summarise(folder) {
      const labels = await labelsAlone(await stream(folder));
      return { count: labels.count, labels };
    },
    stream,
  };
}

function npyPair(files: IdxPair): Reader {
  const pair = () => import("./npy_pair.ts");
  return {
    read: async (folder) => (await pair()).readNpyPair(folder, files),
    summarise: async (folder) => (await pair()).summariseNpyPair(folder, files),
    open: async (folder, budget) => (await pair()).openNpyPair(folder, files, budget),
    stream: async (folder) => (await pair()).streamNpyPair(folder, files),
  };
}

/** A folder of class folders, written with a slash at its end. */
function imageFolders(name: string, { labelNames }: Numbering): Reader {
  const root = name.replace(/[\\/]+$/, "");
  const stream = async (folder: string) =>
    (await import("./image_folders.ts")).streamImageFolders(folder, root, labelNames);
  return {
    read: async (folder) => gathered(await stream(folder)),
    summarise: async (folder) =>
      (await import("./image_folders.ts")).summariseImageFolders(folder, root, labelNames),
    stream,
  };
}

/**
 * The reader for a dataset's files.
 *
 * @throws {DataError} an extension that no reader knows
 */
export function readerOf(
  { name, files, labelNames }: Pick<DatasetSpec, "name" | "files" | "labelNames">,
): Reader {
  const numbering = labelNames === undefined ? {} : { labelNames };
  if (typeof files !== "string") {
    if (/\.npy(\.gz)?$/i.test(files.images)) return npyPair(files);
    return {
      read: (folder) => readIdxPair(folder, files),
      summarise: (folder) => summariseIdxPair(folder, files),
      open: (folder, budget) => openIdxPair(folder, files, budget),
      stream: (folder) => streamIdxPair(folder, files),
    };
  }
  if (/[\\/]$/.test(files)) return imageFolders(files, numbering);
  const extension = /\.[^./\\]*$/.exec(files.replace(/\.gz$/i, ""))?.[0].toLowerCase() ?? "";
  const reader = BY_EXTENSION[extension];
  if (reader === undefined) throw unknownFormat(name, files);
  return reader(files, numbering);
}

function unknownFormat(name: string, files: DataFiles): DataError {
  const known = Object.keys(BY_EXTENSION).join(", ");
  return new DataError(
    `Cannot read ${name}/${files} as its extension names no known format: ` +
      `${known} are read, pairs of IDX or .npy files as data_filename: {images: ..., labels: ...}, and ` +
      "folders of images by class as data_filename: FOLDER/ (./ for the dataset's own)",
  );
}
