/** Journals and blobs of a store as members of an archive, and back. */
import { ArchiveError, messageOf } from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";
import type { Blobs, Journal, JournalEntry } from "../state/store.ts";
import { type Archive, bytesMember, type NewMember } from "./archive.ts";

const PIECE_BYTES = 4 * 1024 * 1024;

/** Where the journal that is the `n`th of its archive lies; ids are not always names of files. */
export function journalName(n: number): string {
  return `journal/${n}.jsonl`;
}

/** Where a blob lies. */
export function blobName(id: string): string {
  return `blobs/${id}`;
}

/** Entries as the bytes of a member, one JSON line each. */
function journalBytes(entries: readonly JournalEntry[]): Uint8Array {
  return new TextEncoder().encode(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
}

/** Entries of a journal that are here. */
export function entriesMember(entries: readonly JournalEntry[], name: string): NewMember {
  return bytesMember(name, journalBytes(entries));
}

/** A store's journal as it is now. */
export async function journalMember(
  journal: Journal,
  session: SessionId,
  name: string,
): Promise<NewMember> {
  const entries = await journal.read(session);
  const { bytes, sha256 } = entriesMember(entries, name);
  const { length } = entries;
  return {
    ...{ name, bytes, sha256 },
    // Read again when its turn comes: all journals together may be large.
    async *content() {
      yield journalBytes((await journal.read(session)).slice(0, length));
    },
  };
}

/** A blob. @throws {ArchiveError} the store does not have it */
export async function blobMember(blobs: Blobs, id: string): Promise<NewMember> {
  const bytes = await blobs.size(id);
  if (bytes === null) throw new ArchiveError(`Cannot archive the blob ${id} as it is gone`);
  return {
    name: blobName(id),
    bytes,
    sha256: id,
    async *content() {
      for (let at = 0; at < bytes; at += PIECE_BYTES) {
        const piece = await blobs.range(id, at, PIECE_BYTES);
        if (piece === null) throw new ArchiveError(`Cannot archive the blob ${id} as it is gone`);
        yield piece;
      }
    },
  };
}

/** The entries of an archived journal. @throws {ArchiveError} it has been changed, or is no journal */
export async function journalFrom(archive: Archive, name: string): Promise<JournalEntry[]> {
  const text = await archive.text(name);
  try {
    return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  } catch (error) {
    throw new ArchiveError(`Cannot read ${name} in "${archive.path}": ${messageOf(error)}`);
  }
}

/** Stores all blobs of an archive, each checked by its name. */
export async function putBlobs(archive: Archive, blobs: Blobs): Promise<void> {
  for (const { name } of archive.members) {
    const [folder, id] = name.split("/");
    if (folder === "blobs") await blobs.put(archive.content(name), id);
  }
}
