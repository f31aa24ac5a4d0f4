/**
 * Finished trainings on the client's disk: a leader or a client that dies between the end of a
 * training and its record in the leader's journal costs nothing, as the result is delivered again.
 */
import { join } from "node:path";
import { messageOf } from "../core/errors.ts";
import { weightsId } from "../core/weights_id.ts";
import type { Logger } from "../log/log.ts";
import type { FinishedUpdate, TrainJob, UpdateHeader } from "../rpc/transport.ts";
import { writeFileAtomically } from "../state/atomic_file.ts";

const SUFFIX = ".update";
/** Sessions of which a result is kept; a leader that never comes back must not fill the disk. */
const MAX_SESSIONS = 4;
/** A result of which no leader has asked for so long is dropped when the client starts. */
const LONGEST_KEPT_MS = 7 * 24 * 3600 * 1000;
const NEWLINE = 10;

/**
 * Results in `results/`, one a session: a leader gives a client its next job of a session only when
 * it has recorded the answer to the last one.
 */
export class KeptResults {
  readonly #folder: string;
  readonly #logger: Logger;
  /** Names of the files, the oldest first. */
  #names: string[];

  private constructor(folder: string, logger: Logger, names: string[]) {
    this.#folder = folder;
    this.#logger = logger;
    this.#names = names;
  }

  /**
   * Opens the folder in a client's temp folder, and clears what a crash has left half written, and
   * what has been there for more than a week.
   *
   * @param nowMs wall-clock milliseconds
   */
  static async open(
    tempFolder: string,
    logger: Logger,
    nowMs: number = Date.now(),
  ): Promise<KeptResults> {
    const folder = join(tempFolder, "results");
    await Deno.mkdir(folder, { recursive: true });
    const found: { readonly name: string; readonly keptMs: number }[] = [];
    for await (const { name } of Deno.readDir(folder)) {
      const path = join(folder, name);
      const keptMs = (await Deno.stat(path)).mtime?.getTime() ?? 0;
      const isOld = nowMs - keptMs > LONGEST_KEPT_MS;
      if (isOld || !name.endsWith(SUFFIX)) await Deno.remove(path);
      else found.push({ name, keptMs });
    }
    const names = found.sort((a, b) => a.keptMs - b.keptMs).map(({ name }) => name);
    return new KeptResults(folder, logger, names);
  }

  /** The result of this very job; null if there is none, or what is there is damaged. */
  async find(job: TrainJob): Promise<FinishedUpdate | null> {
    const name = fileOf(job);
    if (!this.#names.includes(name)) return null;
    try {
      return decode(await Deno.readFile(join(this.#folder, name)));
    } catch (error) {
      this.#logger.warning(
        "result_dropped",
        `Dropped the kept result of round ${job.round}, training again: ${messageOf(error)}`,
      );
      await this.#remove([name]);
      return null;
    }
  }

  /** Keeps the result of a job until its session's next job, or {@link release}. */
  async keep(job: TrainJob, update: FinishedUpdate): Promise<void> {
    const name = fileOf(job);
    await writeFileAtomically(join(this.#folder, name), encode(update));
    this.#names = [...this.#names.filter((known) => known !== name), name];
    await this.#remove(this.#names.slice(0, -MAX_SESSIONS));
  }

  /** Drops the results of a session, but that of one job. */
  async release(session: string, but?: TrainJob): Promise<void> {
    const kept = but === undefined ? null : fileOf(but);
    const prefix = prefixOf(session);
    await this.#remove(this.#names.filter((name) => name.startsWith(prefix) && name !== kept));
  }

  /** Drops the result of one job. */
  async drop(job: TrainJob): Promise<void> {
    await this.#remove(this.#names.filter((name) => name === fileOf(job)));
  }

  async #remove(names: readonly string[]): Promise<void> {
    this.#names = this.#names.filter((name) => !names.includes(name));
    for (const name of names) {
      await Deno.remove(join(this.#folder, name)).catch((error) => {
        if (error instanceof Deno.errors.NotFound) return;
        this.#logger.warning("result_left", `Cannot delete a kept result: ${messageOf(error)}`);
      });
    }
  }
}

/** A text that is the same for the same job alone. */
export function jobKey(job: TrainJob): string {
  return JSON.stringify(job);
}

function fileOf(job: TrainJob): string {
  return `${prefixOf(job.session)}${digestOf(jobKey(job))}${SUFFIX}`;
}

/** A session's name comes from the network: as a hash it is a file name whatever it says. */
function prefixOf(session: string): string {
  return `${digestOf(session).slice(0, 16)}_`;
}

function digestOf(text: string): string {
  return weightsId(new TextEncoder().encode(text));
}

/** The hash of the header, the header, the weights, whose hash is in the header. */
async function* encode({ header, bytes }: FinishedUpdate): AsyncGenerator<Uint8Array> {
  const text = JSON.stringify(header);
  yield new TextEncoder().encode(`${digestOf(text)}\n${text}\n`);
  yield await Promise.resolve(bytes);
}

/** @throws {Error} it is cut short or changed */
function decode(file: Uint8Array<ArrayBuffer>): FinishedUpdate {
  const endOfHash = file.indexOf(NEWLINE);
  const endOfHeader = file.indexOf(NEWLINE, endOfHash + 1);
  if (endOfHash < 0 || endOfHeader < 0) throw new Error("the file is cut short");
  const decoder = new TextDecoder();
  const text = decoder.decode(file.subarray(endOfHash + 1, endOfHeader));
  if (digestOf(text) !== decoder.decode(file.subarray(0, endOfHash))) {
    throw new Error("its header has another hash than it was written with");
  }
  const header = JSON.parse(text) as UpdateHeader;
  // A buffer of its own, as the receivers of weights expect it.
  const bytes = file.slice(endOfHeader + 1);
  if (weightsId(bytes) !== header.weights) {
    throw new Error("its weights have another hash than they were written with");
  }
  return { header, bytes };
}
