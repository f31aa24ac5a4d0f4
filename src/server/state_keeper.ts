/** What a leader keeps as a whole: garbage is taken out of it, all of it leaves and comes in. */
import { Archive } from "../archive/archive.ts";
import { exportState, importState, type StateSize } from "../archive/state_archive.ts";
import type { JsonObject } from "../core/json.ts";
import type { SessionJournal } from "../session/session_journal.ts";
import type { Store } from "../state/store.ts";
import { collectGarbage, type Garbage } from "./garbage.ts";
import { ContinuationError } from "./session_service.ts";

/** The leader's runs, as far as what is kept depends on them. */
export interface Keepers {
  journals(): readonly SessionJournal[];
  /** Whether a run is at work or being submitted. */
  isBusy(): boolean;
  /** Whether nothing can be storing what no journal names yet, and all journals are known. */
  isQuiet(): boolean;
}

/** The state of a leader. */
export class StateKeeper {
  #collecting: Promise<unknown> = Promise.resolve();

  /** @param about facts about the leader, for a state that it exports */
  constructor(readonly store: Store, readonly runs: Keepers, readonly about: JsonObject) {}

  /** Resolves when no garbage is being collected: what is stored meanwhile might be taken for it. */
  async collected(): Promise<void> {
    await this.#collecting;
  }

  /** As `SessionService.collectGarbage`. */
  async collectGarbage(isTrial: boolean): Promise<Garbage> {
    const collected = this.#collecting.then(() =>
      collectGarbage({
        blobs: this.store.blobs,
        journals: this.runs.journals(),
        isQuiet: this.runs.isQuiet(),
        isTrial,
      })
    );
    this.#collecting = collected.catch(() => {});
    return await collected;
  }

  /** As `SessionService.exportState`. */
  async export(): Promise<AsyncIterable<Uint8Array>> {
    if (this.runs.isBusy()) {
      throw new ContinuationError(
        "Cannot export the state as a run is under way: wait until it ends, or stop it with " +
          '"flotilla stop" and restore it where the state goes',
      );
    }
    return (await exportState(this.store, this.about)).bytes;
  }

  /** As `SessionService.importState`, without going on with the runs in it. */
  async import(path: string): Promise<StateSize> {
    using archive = await Archive.open(path, "state");
    return await importState(archive, this.store);
  }
}
