/**
 * A checkpoint: one run after one of its rounds, as a file from which any leader can go on with it.
 * It holds the journal up to there, the config for people, the weights and the model package.
 */
import * as v from "valibot";
import { Archive, archiveBytes, textMember } from "../archive/archive.ts";
import { blobMember, blobName, entriesMember, journalFrom } from "../archive/store_members.ts";
import { ArchiveError, messageOf } from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { SessionEntry } from "../session/events.ts";
import { codeOf, fold, type SessionState } from "../session/state.ts";
import { held } from "../session/stored_weights.ts";
import type { Store } from "../state/store.ts";

const JOURNAL = "journal.jsonl";
const CONFIG = "config.json";
const SUFFIX = ".flotilla";

/** What a checkpoint says of itself. */
const About = v.object({
  session: v.string(),
  /** The last finished round in it. */
  round: v.number(),
  rounds_total: v.number(),
  model: v.string(),
  seed: v.number(),
  weights: v.string(),
  entries: v.number(),
  /** Of its last entry, RFC 3339. */
  written_at: v.string(),
  flotilla: v.string(),
});
export type CheckpointAbout = v.InferOutput<typeof About>;

/** Name of the file of a run's checkpoint after a round. */
export function checkpointName(session: SessionId, round: number): string {
  return `${session}_${round}${SUFFIX}`;
}

/** The run's id and the round that a file's name says; null if it is no checkpoint's. */
export function parseCheckpointName(name: string): { session: SessionId; round: number } | null {
  const [, session, round] = /^(.+)_(\d+)\.flotilla$/.exec(name) ?? [];
  return session === undefined ? null : { session, round: Number(round) };
}

/**
 * The bytes of a run's checkpoint after a finished round.
 *
 * @param flotilla version that writes it
 * @throws {ArchiveError} weights or package are gone from the store
 */
export async function checkpointBytes(
  store: Store,
  session: SessionId,
  round: number,
  flotilla: string,
): Promise<AsyncIterable<Uint8Array>> {
  const entries = await store.journal.read(session) as SessionEntry[];
  const end = entries.findLastIndex(({ event }) =>
    event.type === "round_finished" && event.round === round
  );
  const upTo = entries.slice(0, end + 1);
  const state = fold(upTo)!;
  const about: CheckpointAbout = {
    session,
    round,
    rounds_total: state.config.server_training_config.num_training_rounds,
    model: state.model.id,
    seed: state.seed,
    weights: state.weights!,
    entries: upTo.length,
    written_at: new Date(upTo.at(-1)!.at).toISOString(),
    flotilla,
  };
  const blobs = new Set([...codeOf(state), state.weights!, ...held(state)]);
  return archiveBytes("checkpoint", about, [
    textMember(CONFIG, `${JSON.stringify(state.config, null, 2)}\n`),
    entriesMember(upTo, JOURNAL),
    ...await Promise.all([...blobs].map((id) => blobMember(store.blobs, id))),
  ]);
}

/** A checkpoint whose every byte is as it was written. */
export interface Checkpoint extends Disposable {
  readonly archive: Archive;
  readonly about: CheckpointAbout;
  readonly entries: readonly SessionEntry[];
  readonly state: SessionState;
}

/**
 * Opens a checkpoint and checks all of it.
 *
 * @throws {FileAccessError} the file cannot be read
 * @throws {ArchiveError} it is cut off, foreign, of a newer version, or was changed
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const archive = await Archive.open(path, "checkpoint");
  try {
    const about = v.safeParse(About, archive.about as JsonObject);
    if (!about.success) throw unreadable(path, about.issues[0].message);
    await archive.verify();
    const entries = await journalFrom(archive, JOURNAL) as SessionEntry[];
    const state = foldAll(path, entries);
    for (const id of [...codeOf(state), state.weights!]) {
      if (!archive.has(blobName(id))) throw unreadable(path, `it has no blob ${id}`);
    }
    return {
      archive,
      about: about.output,
      entries,
      state,
      [Symbol.dispose]: () => archive[Symbol.dispose](),
    };
  } catch (error) {
    archive[Symbol.dispose]();
    throw error;
  }
}

function foldAll(path: string, entries: readonly SessionEntry[]): SessionState {
  try {
    const state = fold(entries);
    if (state?.weights != null) return state;
  } catch (error) {
    throw unreadable(path, messageOf(error));
  }
  throw unreadable(path, "its journal has no weights");
}

function unreadable(path: string, why: string): ArchiveError {
  return new ArchiveError(`Cannot go on from "${path}" as its content makes no run: ${why}`);
}
