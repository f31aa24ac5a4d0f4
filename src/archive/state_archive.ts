/** Everything that a leader keeps, as one file that goes into a store of any kind. */
import { ArchiveError } from "../core/errors.ts";
import type { Json, JsonObject } from "../core/json.ts";
import type { Store } from "../state/store.ts";
import { type Archive, archiveBytes, type NewMember, textMember } from "./archive.ts";
import { blobMember, journalFrom, journalMember, journalName, putBlobs } from "./store_members.ts";

const RECORDS = "records.json";

/** How much an archive of a state holds. */
export interface StateSize {
  readonly sessions: number;
  readonly blobs: number;
  readonly blobBytes: number;
}

/**
 * The archive of a store as it is now.
 *
 * @param about further facts for a reader, such as the version that writes it
 */
export async function exportState(
  store: Store,
  about: JsonObject,
): Promise<{ readonly size: StateSize; readonly bytes: AsyncIterable<Uint8Array> }> {
  const { journal, blobs, records } = store;
  const sessions = await journal.sessions();
  const journals: NewMember[] = [];
  for (const [i, session] of sessions.entries()) {
    journals.push(await journalMember(journal, session, journalName(i + 1)));
  }
  const kept: NewMember[] = [];
  for (const { id } of await blobs.list()) kept.push(await blobMember(blobs, id));
  const size = {
    sessions: sessions.length,
    blobs: kept.length,
    blobBytes: kept.reduce((sum, { bytes }) => sum + bytes, 0),
  };
  const members = [
    textMember(RECORDS, JSON.stringify(await records.entries(""))),
    ...journals,
    ...kept,
  ];
  const facts = { ...about, store: store.description, ...size, session_ids: sessions };
  return { size, bytes: archiveBytes("state", facts, members) };
}

/**
 * Fills an empty store from an archive. The archive is checked as a whole first, and journals come
 * last, so that a run is there only with all that it needs.
 *
 * @throws {ArchiveError} the archive is damaged, or the store is not empty: nothing is changed
 */
export async function importState(archive: Archive, store: Store): Promise<StateSize> {
  await refuseFull(store, archive.path);
  await archive.verify();
  await putBlobs(archive, store.blobs);
  const records = JSON.parse(await archive.text(RECORDS)) as [string, Json][];
  for (const [key, value] of records) await store.records.set(key, value);
  const ids = archive.about["session_ids"] as readonly string[];
  for (const [i, session] of ids.entries()) {
    await store.journal.adopt(session, await journalFrom(archive, journalName(i + 1)));
  }
  const blobs = archive.members.filter(({ name }) => name.startsWith("blobs/"));
  return {
    sessions: ids.length,
    blobs: blobs.length,
    blobBytes: blobs.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

async function refuseFull(store: Store, path: string): Promise<void> {
  const { length } = await store.journal.sessions();
  if (length === 0) return;
  throw new ArchiveError(
    `Cannot import "${path}" into ${store.description} as ${length} sessions are there already: ` +
      "import into an empty store",
  );
}
