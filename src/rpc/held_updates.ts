/**
 * Updates that a client has announced and its leader has not fetched: kept in memory as long as the
 * training call that they answer is open.
 */
import { FlotillaError } from "../core/errors.ts";
import type { WeightsId } from "../core/ids.ts";

interface Held {
  readonly bytes: Uint8Array;
  readonly fetched: () => void;
}

/** The updates that one client holds. */
export class HeldUpdates {
  /** In order of holding: two trainings may end with the same weights. */
  readonly #held = new Map<WeightsId, Held[]>();

  /**
   * Holds an update until it is fetched.
   *
   * @throws the signal's reason when that aborts first
   */
  async hold(id: WeightsId, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const held: Held = { bytes, fetched: resolve };
    const drop = () => {
      this.#remove(id, held);
      reject(signal.reason);
    };
    this.#held.set(id, [...this.#held.get(id) ?? [], held]);
    signal.addEventListener("abort", drop, { once: true });
    await promise.finally(() => signal.removeEventListener("abort", drop));
  }

  /** @throws {FlotillaError} none of this id is held */
  find(id: WeightsId): Uint8Array {
    const first = this.#held.get(id)?.[0];
    if (first !== undefined) return first.bytes;
    throw new FlotillaError(
      `Cannot give the update "${id.slice(0, 80)}" as no open training has it: train again`,
    );
  }

  /**
   * Ends the holding of one update of this id, the latest: the leader has all of it. An earlier one
   * may be of a call whose end a broken network has not told.
   */
  fetched(id: WeightsId): void {
    const last = this.#held.get(id)?.at(-1);
    if (last === undefined) return;
    this.#remove(id, last);
    last.fetched();
  }

  #remove(id: WeightsId, held: Held): void {
    const others = this.#held.get(id)?.filter((other) => other !== held) ?? [];
    if (others.length > 0) this.#held.set(id, others);
    else this.#held.delete(id);
  }
}
