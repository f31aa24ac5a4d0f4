/** What a leader's store holds that no run needs, and the end of it. */
import type { WeightsId } from "../core/ids.ts";
import type { SessionJournal } from "../session/session_journal.ts";
import type { SessionState } from "../session/state.ts";
import { needsWeights } from "../session/stored_weights.ts";
import type { Blobs, StoredBlob } from "../state/store.ts";

/** How much was found. */
export interface Garbage {
  /** Blobs that no run needs, and their bytes; freed unless it was a trial. */
  readonly blobs: number;
  readonly bytes: number;
  /** Blobs that stay, and their bytes. */
  readonly keptBlobs: number;
  readonly keptBytes: number;
  /** Blobs that no run names: they may be those of a run under way, so they stay until it ends. */
  readonly unknownBlobs: number;
}

/** What {@link collectGarbage} looks at. */
export interface GarbageOptions {
  readonly blobs: Blobs;
  readonly journals: readonly SessionJournal[];
  /** Whether blobs that no journal names are garbage: not while any run is at work. */
  readonly isQuiet: boolean;
  /** Only count. */
  readonly isTrial: boolean;
}

/** Finds the blobs that no run needs, and deletes them unless it is a trial. */
export async function collectGarbage(
  { blobs, journals, isQuiet, isTrial }: GarbageOptions,
): Promise<Garbage> {
  const packages = new Set(journals.map(({ state }) => state.model.blob));
  const named = new Set(journals.flatMap(({ state }) => [...weightsNamedBy(state)]));
  const isNeeded = (id: string) =>
    packages.has(id) || journals.some((journal) => needsWeights(journal, id));
  const kept: StoredBlob[] = [];
  const spent: StoredBlob[] = [];
  const unknown: StoredBlob[] = [];
  for (const blob of await blobs.list()) {
    if (isNeeded(blob.id)) kept.push(blob);
    else if (isQuiet || named.has(blob.id)) spent.push(blob);
    else unknown.push(blob);
  }
  for (const { id } of isTrial ? [] : spent) await blobs.delete(id);
  return {
    blobs: spent.length,
    bytes: bytesOf(spent),
    keptBlobs: kept.length + unknown.length,
    keptBytes: bytesOf(kept) + bytesOf(unknown),
    unknownBlobs: unknown.length,
  };
}

/** The weights that an ended run's journal names; those of a run at work may be in use. */
function weightsNamedBy({ rounds, endedAt }: SessionState): Set<WeightsId> {
  if (endedAt === null) return new Set();
  return new Set(rounds.flatMap(({ finished, updates }) => [
    ...(finished === null ? [] : [finished.weights]),
    ...updates.map(({ weights }) => weights),
  ]));
}

function bytesOf(blobs: readonly StoredBlob[]): number {
  return blobs.reduce((sum, { bytes }) => sum + bytes, 0);
}
