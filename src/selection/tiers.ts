/**
 * Tiers: groups of clients that are about equally fast, tier 0 the fastest. They are formed when
 * the first round begins and anew when somebody comes who has none; who leaves leaves a hole.
 */
import * as v from "valibot";
import { SessionFailedError } from "../core/errors.ts";
import type { ClientId } from "../core/ids.ts";
import type { Candidate } from "./selector.ts";
import { wardGroups } from "./ward.ts";

/** Whom each tier holds, as a selector's state keeps it. */
export type TierState = {
  /** Tier by client. */
  readonly tiers: Readonly<Record<ClientId, number>>;
  /** How many of them had been measured. */
  readonly measured: number;
};

/** No tiers yet. */
export const noTiers: TierState = { tiers: {}, measured: 0 };

/** The argument that says how many groups. */
export const numTiers = v.optional(
  v.pipe(
    v.number(),
    v.integer("must be a whole number"),
    v.minValue(1, "must be at least 1"),
    v.description("Number of groups of clients; no more than there are clients"),
  ),
  1,
);

/**
 * The tiers of these clients: those of before, or new ones if somebody has none or if all are
 * measured now and were not. A client that is not measured counts as fast as the median.
 *
 * @param clients all that are there, busy or not, in order of name
 * @throws {SessionFailedError} the first tiers shall be more than there are clients
 */
export function tiersOf(
  before: TierState,
  clients: readonly Candidate[],
  count: number,
): TierState {
  const measured = clients.filter(({ secondsPerBatch }) => secondsPerBatch !== null);
  const isKnown = clients.every(({ id }) => Object.hasOwn(before.tiers, id));
  const isBetterKnown = measured.length === clients.length && before.measured < clients.length;
  if (isKnown && !isBetterKnown) return before;
  checkGroupCount(Object.keys(before.tiers).length === 0, clients.length, count);
  const known = measured.map(({ secondsPerBatch }) => secondsPerBatch!).sort((a, b) => a - b);
  const median = known[known.length >> 1] ?? 0;
  const sorted = clients
    .map(({ id, secondsPerBatch }) => ({ id, seconds: secondsPerBatch ?? median }))
    .sort((a, b) => a.seconds - b.seconds);
  // Of clients of whom nothing is known, each tier gets as many.
  const spread = sorted.map(({ seconds }, i) => [known.length === 0 ? i : seconds]);
  const groups = wardGroups(spread, count);
  return {
    // Sorted by speed, so the groups come out in that order too.
    tiers: Object.fromEntries(sorted.map(({ id }, i) => [id, groups[i]!])),
    measured: measured.length,
  };
}

/** Refuses more groups than clients, when they are formed for the first time. */
export function checkGroupCount(isFirst: boolean, clients: number, count: number): void {
  if (!isFirst || clients === 0 || count <= clients) return;
  throw new SessionFailedError(
    `Cannot form ${count} groups of ${clients} clients: set ` +
      `session_config.client_selection_args.num_tiers to at most ${clients}, or ` +
      `session_config.min_clients to ${count}`,
  );
}

/** The clients of each tier that has any, by tier. */
export function byTier<T extends Candidate>(
  { tiers }: TierState,
  clients: readonly T[],
): Map<number, T[]> {
  const members = new Map<number, T[]>();
  for (const client of clients) {
    const tier = tiers[client.id] ?? 0;
    members.set(tier, [...members.get(tier) ?? [], client]);
  }
  return new Map([...members].sort(([a], [b]) => a - b));
}
