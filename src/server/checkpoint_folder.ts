/** The folder of checkpoints: `<session>_<round>.flotilla`, each there whole or not at all. */
import { join, resolve } from "node:path";
import { crashPoint } from "../core/crash_point.ts";
import { canMean, type SessionId } from "../core/ids.ts";
import { discard, moveIntoPlace, writeSynced } from "../state/atomic_file.ts";
import type { Store } from "../state/store.ts";
import { checkpointBytes, checkpointName, parseCheckpointName } from "./checkpoint.ts";
import { ContinuationError } from "./session_service.ts";

/** Checkpoints of a leader's runs. */
export class CheckpointFolder {
  readonly #folder: string;

  /**
   * @param folder made when the first checkpoint is written
   * @param flotilla version that writes
   */
  constructor(folder: string, readonly flotilla: string) {
    this.#folder = resolve(folder);
  }

  /**
   * Writes the checkpoint of a run after a finished round, if it is not there.
   *
   * @returns its path; null if it was there
   * @throws {FileAccessError} it cannot be written: nothing is left of it
   */
  async write(store: Store, session: SessionId, round: number): Promise<string | null> {
    const path = join(this.#folder, checkpointName(session, round));
    if (await exists(path)) return null;
    await Deno.mkdir(this.#folder, { recursive: true }).catch(() => {});
    // A name that a crash leaves and the next attempt takes again.
    const temporary = `${path}.tmp`;
    await discard(temporary);
    await writeSynced(
      temporary,
      await checkpointBytes(store, session, round, this.flotilla),
      path,
    );
    crashPoint("checkpoint_written");
    await moveIntoPlace(temporary, path);
    return path;
  }

  /**
   * Path of a run's checkpoint.
   *
   * @param id the run's id, or the start of one of at least 4 characters
   * @param round after which it was written; null for the last one
   * @throws {ContinuationError} there is none, or the start fits several runs
   */
  async find(id: string, round: number | null): Promise<string> {
    const found: { readonly session: SessionId; readonly round: number }[] = [];
    for (const name of await namesIn(this.#folder)) {
      const parsed = parseCheckpointName(name);
      if (parsed === null || !canMean(id, parsed.session)) continue;
      found.push(parsed);
    }
    const sessions = new Set(found.map(({ session }) => session));
    const [session] = sessions.has(id) ? [id] : sessions;
    if (session === undefined || (sessions.size > 1 && session !== id)) {
      throw new ContinuationError(
        sessions.size > 1
          ? `Cannot continue "${id}" from a file as ${sessions.size} runs begin so: give more of the id`
          : `Cannot continue session ${id} from a file as ${this.#folder} has no checkpoint of it ` +
            "(files are named SESSION_ROUND.flotilla; session_config.checkpoint_interval writes them)",
      );
    }
    const rounds = found.filter((one) => one.session === session).map((one) => one.round)
      .sort((a, b) => a - b);
    const wanted = round ?? rounds.at(-1)!;
    if (!rounds.includes(wanted)) {
      throw new ContinuationError(
        `Cannot continue session ${session} from round ${wanted} as ${this.#folder} has no such ` +
          `checkpoint: there are those of rounds ${rounds.join(", ")}`,
      );
    }
    return join(this.#folder, checkpointName(session, wanted));
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
