/**
 * The datasets that a trainer has unpacked, as they are larger than memory: each once for as long as
 * its files do not change, in folders that are removed when the trainer or the process ends.
 */
import { join } from "node:path";
import type { DatasetSpec } from "../data/dataset.ts";
import { fileStamps } from "../data/file_stamps.ts";

/** What a trainer wants unpacked. */
export interface UnpackingOptions {
  /** Bytes that items may take in memory. */
  readonly budgetBytes: number;
  /** Folder in which a temporary one is made. @default the system's */
  readonly scratchFolder?: string;
  /** Told where a dataset was unpacked. */
  readonly onNotice: (text: string) => void;
}

/** A dataset as the worker gets it. */
interface Kept {
  /** What it was made of. */
  readonly key: string;
  readonly spec: DatasetSpec;
  /** What is removed with it; null if it is read as it is. */
  readonly folder: string | null;
}

/** Unpacked datasets by the folder they come from. */
export class UnpackedDatasets {
  readonly #options: UnpackingOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #onExit = () => this.close();
  #root: string | null = null;
  #made = 0;

  constructor(options: UnpackingOptions) {
    this.#options = options;
  }

  /** Folder that holds all of them, by real path; null as long as there was none. */
  get root(): string | null {
    return this.#root;
  }

  /** Whether a dataset's folder is one of them. */
  holds(folder: string): boolean {
    return [...this.#kept.values()].some((kept) =>
      kept.folder !== null && kept.spec.folder === folder
    );
  }

  /**
   * The same dataset in a form that needs no more memory than allowed.
   *
   * @throws as `unpackedWithin`
   */
  async within(spec: DatasetSpec, signal: AbortSignal): Promise<DatasetSpec> {
    const { budgetBytes, onNotice } = this.#options;
    if (budgetBytes === Infinity) return spec;
    const key = JSON.stringify([spec, await fileStamps(spec)]);
    const kept = this.#kept.get(spec.folder);
    if (kept?.key === key) return kept.spec;
    this.#forget(spec.folder);
    let folder: string | null = null;
    const { unpackedWithin } = await import("../data/unpack.ts");
    const newFolder = () => folder = join(this.#rootFolder(), `${++this.#made}`);
    const unpacked = await unpackedWithin(spec, budgetBytes, newFolder, signal);
    this.#kept.set(spec.folder, {
      key,
      spec: unpacked?.spec ?? spec,
      folder: unpacked && folder,
    });
    signal.throwIfAborted();
    if (unpacked === null) return spec;
    const megabytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MB`;
    const [taken, allowed] = [unpacked.bytes, budgetBytes].map(megabytes);
    onNotice(
      `Dataset ${spec.name} was unpacked to ${taken} in ${folder} and is read from there, as it may ` +
        `need more memory than training.dataset_memory_mb allows, ${allowed}`,
    );
    return unpacked.spec;
  }

  /** Removes all that was unpacked. */
  close(): void {
    this.#kept.clear();
    if (this.#root === null) return;
    removeQuietly(this.#root);
    this.#root = null;
    removeEventListener("unload", this.#onExit);
  }

  #forget(folder: string): void {
    const kept = this.#kept.get(folder);
    this.#kept.delete(folder);
    if (kept?.folder) removeQuietly(kept.folder);
  }

  #rootFolder(): string {
    if (this.#root === null) {
      const { scratchFolder: dir } = this.#options;
      if (dir !== undefined) Deno.mkdirSync(dir, { recursive: true });
      const options = { prefix: "flotilla-unpacked-", ...(dir !== undefined && { dir }) };
      // Permissions and links are judged by real paths.
      this.#root = Deno.realPathSync(Deno.makeTempDirSync(options));
      addEventListener("unload", this.#onExit);
    }
    return this.#root;
  }
}

/** Removes a folder; where a file that is still open cannot be removed, it stays until the end. */
function removeQuietly(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch { /* nothing is read from it any more */ }
}
