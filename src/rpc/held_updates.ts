/**
 * Updates that a client has announced and its leader has not fetched: kept in memory as long as the
 * training call that they answer is open.
 */
import { FlotillaError } from "../core/errors.ts";
import type { WeightsId } from "../core/ids.ts";

/** An update that waits to be fetched. */
export interface HeldUpdate {
  readonly bytes: Uint8Array;
  /** Says that the leader has all of it. */
  fetched(): void;
}

/** The updates that one client holds. */
export class HeldUpdates {
  /** Two trainings may end with the same weights; the one that began to wait first is answered first. */
  readonly #held = new Map<WeightsId, Set<HeldUpdate>>();

  /**
   * Holds an update until it is fetched.
   *
   * @throws the signal's reason when that aborts first
   */
  async hold(id: WeightsId, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const drop = () => reject(signal.reason);
    const update: HeldUpdate = { bytes, fetched: resolve };
    const alike = this.#held.get(id) ?? new Set();
    this.#held.set(id, alike.add(update));
    signal.addEventListener("abort", drop, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", drop);
      alike.delete(update);
      if (alike.size === 0 && this.#held.get(id) === alike) this.#held.delete(id);
    }
  }

  /** @throws {FlotillaError} none of this id is held */
  find(id: WeightsId): HeldUpdate {
    for (const update of this.#held.get(id) ?? []) return update;
    throw new FlotillaError(
      `Cannot give the update "${id.slice(0, 80)}" as no open training has it: train again`,
    );
  }
}
