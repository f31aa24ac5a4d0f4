/** Who leads a store in SQLite, and what keeps a former leader from writing. */
import { join } from "node:path";
import type { StatementSync } from "node:sqlite";
import { DeposedError } from "../core/errors.ts";
import { isBlobId } from "./blob_pieces.ts";
import { fileAccessError } from "./file_access.ts";
import { type LeaderPlace, type LeaderRecord, nameOf, parseLeader } from "./leadership.ts";
import type { Blobs } from "./store.ts";

/** The database as far as its leader needs it. */
interface LeaderDatabase {
  readonly path: string;
  statement(sql: string): StatementSync;
  explained<T>(verb: string, work: () => T): T;
  transaction<T>(work: () => T): T;
  unfenced<T>(work: () => T): T;
}

/** Who leads, in a table of one row. */
export class SqliteLeader implements LeaderPlace {
  readonly #database: LeaderDatabase;
  readonly #get: StatementSync;
  readonly #set: StatementSync;
  #term: number | null = null;

  constructor(database: LeaderDatabase) {
    this.#database = database;
    this.#get = database.statement("SELECT record FROM leader WHERE id = 1");
    this.#set = database.statement(
      "INSERT INTO leader (id, record) VALUES (1, ?) " +
        "ON CONFLICT (id) DO UPDATE SET record = excluded.record",
    );
  }

  get isFenced(): boolean {
    return this.#term !== null;
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async read(): Promise<LeaderRecord | null> {
    return this.#database.explained("read", () => this.#current());
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async replace(
    before: Pick<LeaderRecord, "term" | "beat"> | null,
    record: LeaderRecord,
  ): Promise<boolean> {
    return this.#database.unfenced(() => {
      const now = this.#current();
      if (now?.term !== before?.term || now?.beat !== before?.beat) return false;
      this.#set.run(JSON.stringify(record));
      return true;
    });
  }

  fence(term: number): void {
    this.#term = term;
  }

  /** Does `work` while no other leader can take over. @throws {DeposedError} one has */
  whileLeading(work: () => void): void {
    this.#database.transaction(work);
  }

  /** @throws {DeposedError} another leader leads than the one of this process */
  check(): void {
    if (this.#term === null) return;
    const now = this.#current();
    if (now?.term === this.#term) return;
    throw new DeposedError(`sqlite at ${this.#database.path}`, now && nameOf(now));
  }

  #current(): LeaderRecord | null {
    const row = this.#get.get();
    return row === undefined ? null : parseLeader(String(row.record));
  }
}

/**
 * Blobs in `folder` that only the leader deletes, once there is one. What is stored harms nobody: a
 * blob has the bytes that its name says, whoever wrote it.
 */
export function fencedBlobs(blobs: Blobs, folder: string, leader: SqliteLeader): Blobs {
  return {
    put: (...given) => blobs.put(...given),
    get: (id) => blobs.get(id),
    range: (...given) => blobs.range(...given),
    rangeInto: (...given) => blobs.rangeInto(...given),
    size: (id) => blobs.size(id),
    list: () => blobs.list(),
    has: (id) => blobs.has(id),
    async delete(id) {
      if (!leader.isFenced) return await blobs.delete(id);
      if (!isBlobId(id)) return;
      // Not asynchronously: no other leader shall take over between the check and the deletion.
      leader.whileLeading(() => removeIfThere(join(folder, id)));
    },
  };
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw fileAccessError("delete", path, error);
  }
}
