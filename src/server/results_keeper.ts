/** Where the results of runs go, as the leader's runs see it. */
import type { SessionId } from "../core/ids.ts";
import type { SessionEntry } from "../session/events.ts";
import type { SessionState } from "../session/state.ts";
import type { InitialModel } from "../training/trainer.ts";

/** Keeps what a run has produced. */
export interface ResultsKeeper {
  /** Checks that results can be written at all. @throws {FileAccessError} */
  checkWritable(): Promise<void>;
  /**
   * Writes the results of a run that is about to end.
   *
   * @param state as it will be after the last entry
   * @param last the entry that ends the run, which is not in the journal yet
   * @param model its model and final weights; null if it never had one
   */
  save(
    state: SessionState,
    last: SessionEntry,
    model: { initial: Pick<InitialModel, "topology">; weights: Uint8Array<ArrayBuffer> } | null,
  ): Promise<void>;
  /** Folder of a run's results; null if there are none. */
  folderOf(id: SessionId): string | null;
}
