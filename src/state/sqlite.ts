/**
 * The store that is on by default: journals and records in one SQLite file, blobs as files beside
 * it. SQLite's calls block the event loop, so each is one short transaction and no blob passes it.
 */
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { systemClock } from "../core/clock.ts";
import { FileAccessError, FlotillaError, StaleSequenceError } from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { BlobFolder } from "./blob_folder.ts";
import { onFile } from "./file_access.ts";
import { parseEntry } from "./journal_text.ts";
import { byKey } from "./ordering.ts";
import { databaseError, isLocked } from "./sqlite_errors.ts";
import { fencedBlobs, SqliteLeader } from "./sqlite_leader.ts";
import type { Journal, JournalEntry, JournalEvent, Records, Store } from "./store.ts";

/** How long a call waits for another process that writes. */
const BUSY_TIMEOUT_MS = 5000;
const BUSY_RETRY_MS = 10;

/** Raised when the tables change, so that an older program refuses a newer file. */
const SCHEMA_VERSION = 1;

// NORMAL: in WAL mode a commit survives the death of the process, which is what the contract asks;
// a loss of power may take the last commits, yet never damages the file. FULL costs a flush each.
// Every 100 pages the log moves to the file, flushed, in the commit that fills it: less than 1 ms, where
// the stock 1000 pages hold the event loop up for 6.
const SETTINGS =
  "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 100";

// `id` keeps the order in which sessions began; `first_entries` finds their beginnings at once.
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS journal (
    id INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    UNIQUE (session, seq)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS first_entries ON journal (id) WHERE seq = 1;
  CREATE TABLE IF NOT EXISTS records (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS leader (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    record TEXT NOT NULL
  ) STRICT;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * Opens the store in `folder`, which is made if missing. Several processes may open one folder.
 *
 * @param now wall-clock milliseconds, for the time stamps of journal entries
 * @throws {FileAccessError} the folder cannot be written, or `flotilla.db` is damaged
 */
export async function openSqliteStore(
  folder: string,
  now: () => number = Date.now,
): Promise<Store> {
  await onFile("create folder", folder, () => Deno.mkdir(folder, { recursive: true }));
  const database = await openDatabase(join(folder, "flotilla.db"));
  try {
    const leader = new SqliteLeader(database);
    database.checkTerm = () => leader.check();
    const blobs = await BlobFolder.open(join(folder, "blobs"));
    return {
      leader,
      description: `sqlite at ${database.path}`,
      journal: new SqliteJournal(database, now),
      records: new SqliteRecords(database),
      blobs: fencedBlobs(blobs, join(folder, "blobs"), leader),
      close() {
        if (database.close()) blobs.close();
        return Promise.resolve();
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Opens a database, and waits for another process that makes it at this moment: of two that turn on
 * its log at once SQLite refuses one on the spot, whatever the time limit is.
 */
async function openDatabase(path: string): Promise<Database> {
  const end = systemClock.monotonicMs() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      return new Database(path);
    } catch (error) {
      if (!isLocked(error) || systemClock.monotonicMs() >= end) throw error;
    }
    await systemClock.sleep(BUSY_RETRY_MS);
  }
}

/** The database file, its errors explained. */
class Database {
  readonly #connection: DatabaseSync;

  constructor(readonly path: string) {
    this.#connection = this.explained("open", () => {
      const connection = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      try {
        this.#prepare(connection);
      } catch (error) {
        connection.close();
        throw error;
      }
      return connection;
    });
  }

  #prepare(connection: DatabaseSync): void {
    connection.exec(SETTINGS);
    const version = Number(connection.prepare("PRAGMA user_version").get()?.user_version);
    if (version > SCHEMA_VERSION) {
      throw new FileAccessError(
        `Cannot open "${this.path}" as a newer Flotilla has written it (format ${version}): ` +
          "use that version, or choose another folder",
      );
    }
    inTransaction(connection, () => connection.exec(SCHEMA));
  }

  statement(sql: string): StatementSync {
    return this.explained("read", () => this.#connection.prepare(sql));
  }

  /** Checks, within a transaction, that this process may write. @throws {DeposedError} */
  checkTerm: () => void = () => {};

  /** Does all of `work` or none of it, alone among writers; nothing once another leader leads. */
  transaction<T>(work: () => T): T {
    return this.explained("write", () =>
      inTransaction(this.#connection, () => {
        this.checkTerm();
        return work();
      }));
  }

  /** As {@link Database.transaction}, whoever leads. */
  unfenced<T>(work: () => T): T {
    return this.explained("write", () => inTransaction(this.#connection, work));
  }

  /** Does `work` and explains SQLite's errors. */
  explained<T>(verb: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw error instanceof FlotillaError ? error : databaseError(verb, this.path, error);
    }
  }

  /** Closes it; false if it was closed before. */
  close(): boolean {
    if (!this.#connection.isOpen) return false;
    this.#connection.close();
    return true;
  }
}

function inTransaction<T>(connection: DatabaseSync, work: () => T): T {
  connection.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    connection.exec("COMMIT");
    return result;
  } catch (error) {
    // A full disk makes SQLite roll back by itself.
    if (connection.isTransaction) connection.exec("ROLLBACK");
    throw error;
  }
}

class SqliteJournal implements Journal {
  readonly #database: Database;
  readonly #now: () => number;
  readonly #length: StatementSync;
  readonly #insert: StatementSync;
  readonly #after: StatementSync;
  readonly #first: StatementSync;

  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
    this.#length = database.statement(
      "SELECT coalesce(max(seq), 0) AS length FROM journal WHERE session = ?",
    );
    this.#insert = database.statement(
      "INSERT INTO journal (session, seq, at, event) VALUES (?, ?, ?, ?)",
    );
    this.#after = database.statement(
      "SELECT seq, at, event FROM journal WHERE session = ? AND seq > ? ORDER BY seq",
    );
    this.#first = database.statement(
      `SELECT ${asBytes("session")} FROM journal WHERE seq = 1 ORDER BY id`,
    );
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async append<E extends JournalEvent>(
    session: SessionId,
    expectedSeq: number,
    events: readonly E[],
  ): Promise<JournalEntry<E>[]> {
    const at = this.#now();
    // Text is made before the transaction, so that it is short.
    const texts = events.map((event) => JSON.stringify(event));
    this.#database.transaction(() => {
      const length = Number(this.#length.get(session)!.length);
      if (length !== expectedSeq) throw new StaleSequenceError(session, expectedSeq, length);
      for (const [i, text] of texts.entries()) {
        this.#insert.run(session, expectedSeq + i + 1, at, text);
      }
    });
    return events.map((event, i) => ({ seq: expectedSeq + i + 1, at, event }));
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async read(session: SessionId, afterSeq = 0): Promise<JournalEntry[]> {
    const rows = this.#database.explained("read", () => this.#after.all(session, afterSeq));
    const place = `"${this.#database.path}"`;
    return rows.map((row) => {
      const seq = Number(row.seq);
      return {
        seq,
        at: Number(row.at),
        event: parseEntry(String(row.event), session, seq, place),
      };
    });
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async adopt(session: SessionId, entries: readonly JournalEntry[]): Promise<void> {
    this.#database.transaction(() => {
      const length = Number(this.#length.get(session)!.length);
      if (length !== 0) throw new StaleSequenceError(session, 0, length);
      for (const { seq, at, event } of entries) {
        this.#insert.run(session, seq, at, JSON.stringify(event));
      }
    });
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async sessions(): Promise<SessionId[]> {
    const rows = this.#database.explained("read", () => this.#first.all());
    return rows.map((row) => textOf(row.session));
  }
}

class SqliteRecords implements Records {
  readonly #database: Database;
  readonly #get: StatementSync;
  readonly #set: StatementSync;
  readonly #delete: StatementSync;
  readonly #from: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#get = database.statement("SELECT value FROM records WHERE key = ?");
    this.#set = database.statement(
      "INSERT INTO records (key, value) VALUES (?, ?) " +
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
    this.#delete = database.statement("DELETE FROM records WHERE key = ?");
    this.#from = database.statement(
      `SELECT ${asBytes("key")}, value FROM records WHERE key >= ? ORDER BY records.key`,
    );
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async get(key: string): Promise<Json | null> {
    const row = this.#database.explained("read", () => this.#get.get(key));
    return row === undefined ? null : JSON.parse(String(row.value));
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async set(key: string, value: Json): Promise<void> {
    const text = JSON.stringify(value);
    this.#database.transaction(() => this.#set.run(key, text));
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async delete(key: string): Promise<void> {
    this.#database.transaction(() => this.#delete.run(key));
  }

  // deno-lint-ignore require-await -- async, so that errors reject
  async entries(prefix: string): Promise<[string, Json][]> {
    const found: [string, Json][] = [];
    this.#database.explained("read", () => {
      // Keys with the prefix stand together, from the prefix itself on.
      for (const row of this.#from.iterate(prefix)) {
        const key = textOf(row.key);
        if (!key.startsWith(prefix)) break;
        found.push([key, JSON.parse(String(row.value))]);
      }
    });
    return byKey(found);
  }
}

/** Selects a text column as bytes: read as text, it would end at its first NUL character. */
function asBytes(column: string): string {
  return `CAST(${column} AS BLOB) AS ${column}`;
}

function textOf(bytes: unknown): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes as Uint8Array);
}
