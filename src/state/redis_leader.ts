/** Who leads a store in Redis, and the scripts that keep a former leader from writing. */
import { DeposedError, messageOf } from "../core/errors.ts";
import { type LeaderPlace, type LeaderRecord, nameOf, parseLeader } from "./leadership.ts";
import type { RedisConnection } from "./redis_connection.ts";

const LEADER = "flotilla:leader";
const DEPOSED = "DEPOSED";

/**
 * The beginning of every script that writes. KEYS[3] is the leader's record, ARGV[1] the writer's
 * term, or empty for a store that nobody leads yet.
 */
export const FENCE = `
  if ARGV[1] ~= '' and redis.call('HGET', KEYS[3], 'term') ~= ARGV[1] then
    return redis.error_reply('${DEPOSED}')
  end`;

// KEYS: leader. ARGV: term and beat before, term, beat and record from now on.
const REPLACE = `
  local before = redis.call('HMGET', KEYS[1], 'term', 'beat')
  if (before[1] or '') ~= ARGV[1] or (before[2] or '') ~= ARGV[2] then return 0 end
  redis.call('HSET', KEYS[1], 'term', ARGV[3], 'beat', ARGV[4], 'record', ARGV[5])
  return 1
`;

/** The leader's record in a hash of its own. */
export class RedisLeader implements LeaderPlace {
  readonly #connection: RedisConnection;
  #term: number | null = null;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  async read(): Promise<LeaderRecord | null> {
    const text = await this.#connection.call("read who leads", (redis) => {
      return redis.hget(LEADER, "record");
    });
    return text === null ? null : parseLeader(text);
  }

  async replace(
    before: Pick<LeaderRecord, "term" | "beat"> | null,
    record: LeaderRecord,
  ): Promise<boolean> {
    const known = [before?.term ?? "", before?.beat ?? ""];
    const next = [record.term, record.beat, JSON.stringify(record)];
    return await this.#connection.call("write who leads", (redis) => {
      return redis.eval(REPLACE, 1, LEADER, ...known, ...next);
    }) === 1;
  }

  fence(term: number): void {
    this.#term = term;
  }

  /**
   * Runs a script that begins with {@link FENCE}.
   *
   * @param keys the script's first two
   * @param args what follows the term
   * @throws {DeposedError} another leader leads, or the data are gone
   */
  async write(
    verb: string,
    script: string,
    keys: readonly [string, string],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    try {
      return await this.#connection.call(verb, (redis) => {
        return redis.eval(script, 3, ...keys, LEADER, this.#term ?? "", ...args);
      });
    } catch (error) {
      // Redis puts a code of its own before a script's error.
      const cause = error instanceof Error ? messageOf(error.cause) : "";
      if (!cause.includes(DEPOSED)) throw error;
      const now = await this.read();
      throw new DeposedError(`redis at ${this.#connection.address}`, now && nameOf(now));
    }
  }
}
