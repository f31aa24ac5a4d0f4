/**
 * A user's own strategy: a file of code that exports the functions of the selector's or the
 * aggregator's contract. It runs where it can read no file and reach no network.
 */
import type { Aggregator } from "../aggregation/aggregator.ts";
import type { JsonObject } from "../core/json.ts";
import type { EventualSelector } from "../selection/selector.ts";

/** What a strategy decides. */
export type StrategyKind = "aggregator" | "client_selection";

/** A strategy that runs elsewhere. Its functions throw `SessionFailedError`. */
export interface CustomStrategy {
  /**
   * Loads the code.
   *
   * @throws {ConfigError} it cannot be loaded, or does not export what its kind needs
   */
  check(kind: StrategyKind): Promise<void>;
  /** Of a strategy that has passed {@link check}. */
  selector(): EventualSelector<JsonObject, JsonObject>;
  /** Of a strategy that has passed {@link check}. */
  aggregator(): Aggregator<JsonObject, JsonObject>;
  /** Ends whatever it does. */
  close(): void;
}

/** Opens a strategy; nothing runs before its first call. */
export type OpenCustomStrategy = (file: string, code: string) => CustomStrategy;
