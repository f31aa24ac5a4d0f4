/** The folder that holds a folder of results for each run. */
import { join, resolve } from "node:path";
import type { SessionId } from "../core/ids.ts";
import { type ResourceSample, summariseResources } from "../core/resources.ts";
import type { SessionEntry } from "../session/events.ts";
import type { ResultsContext } from "../session/results.ts";
import type { SessionState } from "../session/state.ts";
import { type ModelFiles, writeResults } from "../session/write_results.ts";
import { checkWritable, writeFileAtomically } from "../state/atomic_file.ts";
import type { Journal } from "../state/store.ts";
import type { InitialModel } from "../training/trainer.ts";
import type { ResultsKeeper } from "./results_keeper.ts";

/** What results are written with. */
export interface RunsFolderOptions {
  /** Such as `./runs`. */
  readonly folder: string;
  readonly journal: Journal;
  readonly context: ResultsContext;
  readonly modelFiles: ModelFiles;
  /** Reads what was measured into a run's folder while it went on. @default none */
  readonly samplesIn?: (folder: string) => Promise<readonly ResourceSample[]>;
}

/** Keeps results as files under `<folder>/<session id>/`. */
export class RunsFolder implements ResultsKeeper {
  readonly #options: RunsFolderOptions;

  constructor(options: RunsFolderOptions) {
    this.#options = options;
  }

  async checkWritable(): Promise<void> {
    await checkWritable(this.#options.folder);
  }

  async save(
    state: SessionState,
    last: SessionEntry,
    model: { initial: Pick<InitialModel, "topology">; weights: Uint8Array<ArrayBuffer> } | null,
  ): Promise<void> {
    const { journal, context, modelFiles, samplesIn } = this.#options;
    const folder = this.#pathOf(state.id);
    const samples = await samplesIn?.(folder) ?? [];
    const resources = summariseResources(samples);
    const trained = state.rounds.some(({ finished }) => finished !== null);
    await writeResults({
      folder,
      state,
      journal: [...await journal.read(state.id) as SessionEntry[], last],
      model: model === null || !trained
        ? null
        : { topology: model.initial.topology, weights: model.weights },
      context: resources === null ? context : { ...context, resources },
      samples,
      modelFiles,
      writeFile: writeFileAtomically,
    });
  }

  folderOf(id: SessionId): string | null {
    const folder = this.#pathOf(id);
    try {
      return Deno.statSync(join(folder, "results.json")).isFile ? folder : null;
    } catch {
      return null;
    }
  }

  #pathOf(id: SessionId): string {
    return resolve(this.#options.folder, id);
  }
}
