/** Works out how a run goes on: from where, with which clients, and whether that can be. */
import type { Archive } from "../archive/archive.ts";
import { blobName } from "../archive/store_members.ts";
import type { Clock } from "../core/clock.ts";
import type { ModelPackage } from "../core/model_package.ts";
import { foldRunning, restored, revived } from "../session/continuation.ts";
import type { SessionContinued, SessionEntry } from "../session/events.ts";
import type { Fleet } from "../session/fleet.ts";
import type { SessionState } from "../session/state.ts";
import type { Blobs, Store } from "../state/store.ts";
import type { Checkpoint } from "./checkpoint.ts";
import {
  checkHasBrokenOff,
  checkSameConfig,
  checkSameHistory,
  clientsMissing,
  missingClients,
} from "./continue_checks.ts";
import { withModelDefaults } from "./model_defaults.ts";
import { unpackBlob } from "./package_blob.ts";
import { ContinuationError, type Continue } from "./session_service.ts";

/** How a run goes on. */
export interface ContinuationPlan {
  /** The run as it was before it ended, or as the checkpoint has it. */
  readonly state: SessionState;
  readonly modelPackage: ModelPackage;
  readonly event: SessionContinued;
}

/** What a plan is worked out from. */
export interface PlanOptions {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly request: Continue;
  /** The run as this leader knows it; null if it knows it from the checkpoint alone. */
  readonly known: SessionState | null;
  readonly checkpoint: Checkpoint | null;
}

/**
 * Plans how a run goes on; changes nothing.
 *
 * @throws {ContinuationError} it cannot go on as asked
 */
export async function planContinuation(
  { store, fleet, clock, signal, request, known, checkpoint }: PlanOptions,
): Promise<ContinuationPlan> {
  if (known !== null) checkHasBrokenOff(known);
  const stored = known === null ? [] : await store.journal.read(known.id) as SessionEntry[];
  if (known !== null && checkpoint !== null) {
    checkSameHistory(known.id, stored, checkpoint.entries);
  }
  const entries = checkpoint?.entries ?? stored;
  const state = foldRunning(entries);
  const { blobs } = store;
  const read = (id: string) => readBlob(id, blobs, checkpoint?.archive ?? null);
  const packed = await read(state.model.blob);
  if (packed === null) throw gone(state.id, "its model package");
  const modelPackage = unpackBlob(packed);
  if (request.config !== null) {
    checkSameConfig(state.id, state.config, withModelDefaults(request.config, modelPackage));
  }
  const missing = request.how === "revive" ? [] : await missingClients(state, fleet, clock, signal);
  if (missing.length > 0 && request.how === "restore") throw clientsMissing(state.id, missing);
  const isThere = async (id: string) =>
    checkpoint?.archive.has(blobName(id)) || await blobs.has(id);
  if (state.weights !== null && !await isThere(state.weights)) {
    throw gone(state.id, `its weights ${state.weights}`);
  }
  const lost = new Set<string>();
  for (const { weights } of state.pending) if (!await isThere(weights)) lost.add(weights);
  const event = request.how === "revive" || missing.length > 0
    ? revived(entries)
    : restored(entries, lost);
  return { state, modelPackage, event };
}

/** A blob from the archive, checked, or from the store. */
async function readBlob(
  id: string,
  blobs: Blobs,
  archive: Archive | null,
): Promise<Uint8Array | null> {
  if (archive === null || !archive.has(blobName(id))) return await blobs.get(id);
  return new Uint8Array(
    await new Response(ReadableStream.from(archive.content(blobName(id)))).arrayBuffer(),
  );
}

function gone(session: string, what: string): ContinuationError {
  return new ContinuationError(
    `Cannot continue session ${session} as ${what} is not in the state any more: continue it from a ` +
      "checkpoint with --file",
  );
}
