/**
 * A store in a Redis server, for leaders without a disk of their own. What it holds survives the
 * leader; whether it survives Redis is Redis's own setting (`appendonly yes`).
 */
import { FileAccessError, StaleSequenceError } from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { parseEntry } from "./journal_text.ts";
import { byKey } from "./ordering.ts";
import { RedisBlobs } from "./redis_blobs.ts";
import { RedisConnection, type RedisStoreOptions } from "./redis_connection.ts";
import { FENCE, RedisLeader } from "./redis_leader.ts";
import type { Journal, JournalEntry, JournalEvent, Records, Store } from "./store.ts";

const SESSIONS = "flotilla:sessions";
const RECORDS = "flotilla:records";
const VERSION = "flotilla:version";

/** Raised when keys or their values change, so that an older program refuses newer ones. */
const FORMAT_VERSION = 1;

/** Records asked for at once. */
const RECORDS_PER_READ = 1000;

// KEYS: journal, sessions, leader. ARGV: term, expected length, session, entries. Gives the true
// length if it is another, else false. A script runs alone, so that of two writers one wins.
const APPEND = `
  ${FENCE}
  local length = redis.call('LLEN', KEYS[1])
  if length ~= tonumber(ARGV[2]) then return length end
  if length == 0 and #ARGV > 3 then redis.call('RPUSH', KEYS[2], ARGV[3]) end
  for i = 4, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
  return false
`;

// KEYS: records, -, leader. ARGV: term, key, value.
const SET_RECORD = `${FENCE} return redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])`;
const DELETE_RECORD = `${FENCE} return redis.call('HDEL', KEYS[1], ARGV[2])`;

/**
 * Opens the store in the Redis server at `hostname:port`, under keys that start with `flotilla:`.
 *
 * @throws {UnreachableError} it does not answer within 2 s
 * @throws {FileAccessError} its keys are another version's
 */
export async function openRedisStore(
  hostname: string,
  port: number,
  options: RedisStoreOptions = {},
): Promise<Store> {
  const connection = await RedisConnection.open(hostname, port, options);
  try {
    await claimFormat(connection);
  } catch (error) {
    await connection.close();
    throw error;
  }
  const leader = new RedisLeader(connection);
  return {
    leader,
    description: `redis at ${connection.address}`,
    journal: new RedisJournal(connection, leader, options.now ?? Date.now),
    blobs: new RedisBlobs(connection, leader),
    records: new RedisRecords(connection, leader),
    close: () => connection.close(),
  };
}

/** Marks the keys as of this format, or finds that they are. @throws {FileAccessError} they are not */
async function claimFormat(connection: RedisConnection): Promise<void> {
  const found = await connection.call("open the store", async (redis) => {
    const marked = await redis.get(VERSION);
    if (marked !== null) return marked;
    await redis.setnx(VERSION, FORMAT_VERSION);
    return await redis.get(VERSION);
  });
  if (found === String(FORMAT_VERSION)) return;
  const writer = Number(found) > FORMAT_VERSION ? "a newer Flotilla" : "another program";
  throw new FileAccessError(
    `Cannot open Redis at ${connection.address} as ${writer} has written its keys (${VERSION} is ` +
      `"${found}", this version reads ${FORMAT_VERSION}): use that version, or another Redis`,
  );
}

/** One list a journal; an entry's place in it is its sequence number. */
class RedisJournal implements Journal {
  readonly #connection: RedisConnection;
  readonly #leader: RedisLeader;
  readonly #now: () => number;

  constructor(connection: RedisConnection, leader: RedisLeader, now: () => number) {
    this.#connection = connection;
    this.#leader = leader;
    this.#now = now;
  }

  async append<E extends JournalEvent>(
    session: SessionId,
    expectedSeq: number,
    events: readonly E[],
  ): Promise<JournalEntry<E>[]> {
    const at = this.#now();
    const texts = events.map((event) => JSON.stringify({ at, event }));
    const length = await this.#leader.write(
      "append to a journal",
      APPEND,
      [keyOf(session), SESSIONS],
      [expectedSeq, session, ...texts],
    );
    if (length !== null) throw new StaleSequenceError(session, expectedSeq, Number(length));
    return events.map((event, i) => ({ seq: expectedSeq + i + 1, at, event }));
  }

  async read(session: SessionId, afterSeq = 0): Promise<JournalEntry[]> {
    const texts = await this.#connection.call("read a journal", (redis) => {
      return redis.lrange(keyOf(session), afterSeq, -1);
    });
    const place = `Redis at ${this.#connection.address}`;
    return texts.map((text, i) => {
      const seq = afterSeq + i + 1;
      return { seq, ...parseEntry<Omit<JournalEntry, "seq">>(text, session, seq, place) };
    });
  }

  async adopt(session: SessionId, entries: readonly JournalEntry[]): Promise<void> {
    const texts = entries.map(({ at, event }) => JSON.stringify({ at, event }));
    const length = await this.#leader.write(
      "store a journal",
      APPEND,
      [keyOf(session), SESSIONS],
      [0, session, ...texts],
    );
    if (length !== null) throw new StaleSequenceError(session, 0, Number(length));
  }

  async sessions(): Promise<SessionId[]> {
    return await this.#connection.call("read journals", (redis) => redis.lrange(SESSIONS, 0, -1));
  }
}

function keyOf(session: SessionId): string {
  return `flotilla:journal:${session}`;
}

/** All records in one hash. */
class RedisRecords implements Records {
  readonly #connection: RedisConnection;
  readonly #leader: RedisLeader;

  constructor(connection: RedisConnection, leader: RedisLeader) {
    this.#connection = connection;
    this.#leader = leader;
  }

  async get(key: string): Promise<Json | null> {
    const text = await this.#connection.call("read a record", (redis) => redis.hget(RECORDS, key));
    return text === null ? null : JSON.parse(text);
  }

  async set(key: string, value: Json): Promise<void> {
    const text = JSON.stringify(value);
    await this.#leader.write("write a record", SET_RECORD, [RECORDS, "-"], [key, text]);
  }

  async delete(key: string): Promise<void> {
    await this.#leader.write("delete a record", DELETE_RECORD, [RECORDS, "-"], [key]);
  }

  async entries(prefix: string): Promise<[string, Json][]> {
    const pattern = `${prefix.replace(/[\\*?[\]^-]/g, "\\$&")}*`;
    // A scan may give a record twice.
    const found = new Map<string, Json>();
    let cursor = "0";
    do {
      const [next, fields] = await this.#connection.call("read records", (redis) => {
        return redis.hscan(RECORDS, cursor, "MATCH", pattern, "COUNT", RECORDS_PER_READ);
      });
      for (let i = 0; i < fields.length; i += 2) found.set(fields[i]!, JSON.parse(fields[i + 1]!));
      cursor = next;
    } while (cursor !== "0");
    return byKey([...found]);
  }
}
