/** Picks the store that the options name; each is imported only when it is wanted. */
import type { Store, StoreOptions } from "./store.ts";

/**
 * Opens a store; never another one than asked for.
 *
 * @param now wall-clock milliseconds, for the time stamps of journal entries
 * @throws {FileAccessError} SQLite: the folder or the database cannot be used
 * @throws {UnreachableError} Redis does not answer
 */
export async function openStore(
  options: StoreOptions,
  now: () => number = Date.now,
): Promise<Store> {
  switch (options.kind) {
    case "memory":
      return (await import("./memory.ts")).openMemoryStore(now);
    case "sqlite":
      return await (await import("./sqlite.ts")).openSqliteStore(options.folder, now);
    case "redis":
      return await (await import("./redis.ts")).openRedisStore(options.hostname, options.port, {
        now,
      });
    default:
      return options satisfies never;
  }
}
