/**
 * One leader a store. Who leads writes its name into the store and a beat every second; a second
 * leader sees the beats and is refused, or, if they have ended, takes over. Every write is fenced: it
 * takes place only while the writer's term is the store's term, so that a leader that was paused and
 * taken over cannot write when it wakes.
 */
import type { Clock } from "../core/clock.ts";
import { DeposedError, messageOf, StoreTakenError } from "../core/errors.ts";
import { isGone, type ProcessIdentity } from "./process_identity.ts";

/** Who leads, as the store keeps it. */
export interface LeaderRecord {
  /** Counts the leaders of a store from 1. */
  readonly term: number;
  /** Counts the signs of life of this leader. */
  readonly beat: number;
  /** Wall-clock milliseconds of the last sign of life, for people. */
  readonly seenAt: number;
  readonly process: ProcessIdentity;
  /** Whether it has said that it leads no more. */
  readonly hasLeft: boolean;
}

/** Where a store keeps its leader. */
export interface LeaderPlace {
  /** Null if the store has never had one, or has lost it. */
  read(): Promise<LeaderRecord | null>;
  /**
   * Writes a record over the one of `before` (its term and beat, null for none), atomically.
   *
   * @returns false if the record is another by now: nothing is written
   */
  replace(
    before: Pick<LeaderRecord, "term" | "beat"> | null,
    record: LeaderRecord,
  ): Promise<boolean>;
  /** From now on every write of this store checks that the store is in this term. */
  fence(term: number): void;
}

/** How a leader comes to lead. */
export interface LeaderClaim {
  readonly process: ProcessIdentity;
  readonly clock: Clock;
  /** Milliseconds between two signs of life. @default {1000} */
  readonly beatEveryMs?: number;
  /** Milliseconds without one after which another leader takes over. @default {5000} */
  readonly silentForMs?: number;
}

/** How often a second leader looks whether the first is alive. */
const LOOK_EVERY_MS = 100;

/** A leader's term in a store. */
export class Leadership {
  readonly #place: LeaderPlace;
  readonly #claim: LeaderClaim;
  readonly #store: string;
  readonly #end = new AbortController();
  readonly #deposed = new AbortController();
  #record: LeaderRecord;
  readonly #beating: Promise<void>;

  private constructor(place: LeaderPlace, claim: LeaderClaim, store: string, own: LeaderRecord) {
    this.#place = place;
    this.#claim = claim;
    this.#store = store;
    this.#record = own;
    this.#beating = this.#beat();
  }

  /**
   * Leads the store, as soon as its last leader is known to be gone: at once if it has left or its
   * process on this machine has ended, else after some seconds without a sign of life.
   *
   * @param store the store's description
   * @throws {StoreTakenError} another leader is alive
   */
  static async begin(place: LeaderPlace, claim: LeaderClaim, store: string): Promise<Leadership> {
    for (;;) {
      const last = await place.read();
      if (last !== null) await untilGone(last, place, claim, store);
      const own: LeaderRecord = {
        term: (last?.term ?? 0) + 1,
        beat: 1,
        seenAt: claim.clock.epochMs(),
        process: claim.process,
        hasLeft: false,
      };
      if (!await place.replace(last, own)) continue;
      place.fence(own.term);
      return new Leadership(place, claim, store, own);
    }
  }

  /** Aborts with a {@link DeposedError} when another leader has taken over. */
  get deposed(): AbortSignal {
    return this.#deposed.signal;
  }

  /** Leaves the store to the next leader, which then need not wait. */
  async leave(): Promise<void> {
    this.#end.abort();
    await this.#beating;
    const left = { ...this.#record, beat: this.#record.beat + 1, hasLeft: true };
    // A store that cannot be written now has a leader that is silent from now on: as good.
    await this.#place.replace(this.#record, left).catch(() => {});
  }

  async #beat(): Promise<void> {
    const { clock, beatEveryMs = 1000 } = this.#claim;
    while (!this.#end.signal.aborted) {
      try {
        await clock.sleep(beatEveryMs, this.#end.signal);
        const next = { ...this.#record, beat: this.#record.beat + 1, seenAt: clock.epochMs() };
        if (await this.#place.replace(this.#record, next)) this.#record = next;
        else await this.#recordHasChanged();
      } catch (error) {
        if (error instanceof DeposedError) return this.#deposed.abort(error);
        // The store cannot be written: whoever needs it says so, and the next beat may succeed.
      }
    }
  }

  /** @throws {DeposedError} another leads */
  async #recordHasChanged(): Promise<void> {
    const now = await this.#place.read();
    if (now === null) throw new DeposedError(this.#store, null);
    if (now.term !== this.#record.term) throw new DeposedError(this.#store, nameOf(now));
    // A beat was written although its answer was lost.
    this.#record = now;
  }
}

async function untilGone(
  last: LeaderRecord,
  place: LeaderPlace,
  { process, clock, silentForMs = 5000 }: LeaderClaim,
  store: string,
): Promise<void> {
  if (last.hasLeft || isGone(last.process, process)) return;
  // By this process's monotonic clock alone: two machines' clocks need not agree.
  const deadline = clock.monotonicMs() + silentForMs;
  while (clock.monotonicMs() < deadline) {
    await clock.sleep(LOOK_EVERY_MS);
    const now = await place.read();
    if (now === null || now.hasLeft || isGone(now.process, process)) return;
    if (now.term !== last.term || now.beat !== last.beat) {
      throw new StoreTakenError(store, nameOf(now), new Date(now.seenAt));
    }
  }
}

/** A leader's process, for people. */
export function nameOf({ process: { pid, hostname } }: LeaderRecord): string {
  return `process ${pid} on ${hostname}`;
}

/** A leader's record in the text that a store keeps. @throws {Error} it is none */
export function parseLeader(text: string): LeaderRecord {
  try {
    const record = JSON.parse(text);
    if (Number.isSafeInteger(record.term) && Number.isSafeInteger(record.beat)) return record;
    throw new Error("it has no term");
  } catch (error) {
    throw new Error(`Cannot read who leads the store: ${messageOf(error)}`, { cause: error });
  }
}
