/**
 * The seeds of a run. Each derives from the session's seed and a purpose, those of a client also
 * from its name: not its UUID, so that two fresh installations with the same names and data give the
 * same bytes.
 */
import type { ClientName } from "../core/ids.ts";
import { deriveSeed } from "../core/derive_seed.ts";

/** Seed of the initial weights. */
export function initialWeightsSeed(sessionSeed: number): number {
  return deriveSeed(sessionSeed, "initial weights");
}

/** Seed of a round: of its selection and of all its clients. */
export function roundSeed(sessionSeed: number, round: number): number {
  return deriveSeed(sessionSeed, "round", round);
}

/**
 * Seed of the selection of clients that are added to a round.
 *
 * @param seq number of the session's journal entries, which tells one addition from the next
 */
export function refillSeed(sessionSeed: number, round: number, seq: number): number {
  return deriveSeed(roundSeed(sessionSeed, round), "refill", seq);
}

/** Seed of one client's training in one round. */
export function trainingSeed(roundSeed: number, client: ClientName): number {
  return deriveSeed(roundSeed, "training", client);
}
