/** Structured logging, passed in and never global. Payloads (weights, keys) are never logged. */
import type { JsonObject } from "../core/json.ts";

export type LogLevel = "debug" | "info" | "warning" | "error";

/** A logger: one event name, one readable sentence, fields for machines. */
export interface Logger {
  debug(event: string, message: string, fields?: JsonObject): void;
  info(event: string, message: string, fields?: JsonObject): void;
  warning(event: string, message: string, fields?: JsonObject): void;
  error(event: string, message: string, fields?: JsonObject): void;
  /** A logger that adds these fields to each record. */
  with(fields: JsonObject): Logger;
}

/** One record as it is written. */
export interface LogRecord {
  /** ISO 8601 with milliseconds, UTC. */
  readonly time: string;
  readonly level: LogLevel;
  readonly event: string;
  readonly message: string;
  readonly fields: JsonObject;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error"];

/**
 * A logger that hands each record of `level` or above to `write`.
 *
 * @param now wall-clock milliseconds, for the time stamps
 */
export function createLogger(
  write: (record: LogRecord) => void,
  level: LogLevel = "info",
  now: () => number = Date.now,
  fields: JsonObject = {},
): Logger {
  const at = (own: LogLevel) => (event: string, message: string, more: JsonObject = {}) => {
    if (LEVELS.indexOf(own) < LEVELS.indexOf(level)) return;
    const time = new Date(now()).toISOString();
    write({ time, level: own, event, message, fields: { ...fields, ...more } });
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warning: at("warning"),
    error: at("error"),
    with: (more) => createLogger(write, level, now, { ...fields, ...more }),
  };
}

/** A logger that drops everything. */
export const silentLogger: Logger = createLogger(() => {}, "error");
