/** The registry of data formats: which file is read by which reader. */
import { DataError } from "../core/errors.ts";
import type { DataFiles, DatasetSpec, RawData, RawLabels, StoredData } from "./dataset.ts";
import type { OnBadCell } from "./table.ts";
import { openIdxPair, readIdxPair, summariseIdxPair } from "./idx.ts";

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
   * As `read`, with items that stay on disk; null if they take at most so many bytes in memory.
   *
   * @throws {DataError} also if items are more, and lie in the file in a form that must be unpacked
   */
  open?(folder: string, budgetBytes: number): Promise<StoredData | null>;
}

/** How a file's labels are numbered. */
type Numbering = Pick<DatasetSpec, "labelNames">;

/** Readers of single files by extension; each loads its library only when it is used. */
const BY_EXTENSION: Readonly<Record<string, (name: string, numbering: Numbering) => Reader>> = {
  ".npz": (name) => ({
    read: async (folder) => (await import("./npz.ts")).readNpz(folder, name),
    summarise: async (folder) => (await import("./npz.ts")).summariseNpz(folder, name),
    open: async (folder, budget) => (await import("./npz_items.ts")).openNpz(folder, name, budget),
  }),
  ".csv": (name, numbering) =>
    table(async (folder, onBad) =>
      (await import("./csv.ts")).readCsv(folder, name, numbering, onBad)
    ),
  ".parquet": (name, numbering) =>
    table(async (folder, onBad) =>
      (await import("./parquet.ts")).readParquet(folder, name, numbering, onBad)
    ),
};

/** A reader of tables, which have to be read as a whole for their labels too. */
function table(read: Reader["read"]): Reader {
  return {
    read,
    async summarise(folder) {
      const { labels } = await read(folder);
      return { count: labels.count, labels };
    },
  };
}

/** A folder of class folders, written with a slash at its end. */
function imageFolders(name: string, { labelNames }: Numbering): Reader {
  const root = name.replace(/[\\/]+$/, "");
  return {
    read: async (folder) =>
      (await import("./image_folders.ts")).readImageFolders(folder, root, labelNames),
    summarise: async (folder) =>
      (await import("./image_folders.ts")).summariseImageFolders(folder, root, labelNames),
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
    return {
      read: (folder) => readIdxPair(folder, files),
      summarise: (folder) => summariseIdxPair(folder, files),
      open: (folder, budget) => openIdxPair(folder, files, budget),
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
      `${known} are read, pairs of IDX files as data_filename: {images: ..., labels: ...}, and ` +
      "folders of images by class as data_filename: FOLDER/ (./ for the dataset's own)",
  );
}
