/** Log records as lines: readable ones for people, JSON for machines. */
import type { LogLevel, LogRecord } from "./log.ts";

export type LogFormat = "text" | "json";

const COLOURS: Readonly<Record<LogLevel, string>> = {
  debug: "\x1b[2m",
  info: "\x1b[36m",
  warning: "\x1b[33m",
  error: "\x1b[31m",
};
const RESET = "\x1b[0m";

/**
 * One record as one line without its end: `12:34:56.789 info    message`, or JSON with all fields.
 *
 * @param colour whether to colour the level
 */
export function formatRecord(record: LogRecord, format: LogFormat, colour: boolean): string {
  const { time, level, event, message, fields } = record;
  if (format === "json") return JSON.stringify({ time, level, event, message, ...fields });
  const clock = time.slice(11, 23);
  const word = level.padEnd(7);
  return `${clock} ${colour ? `${COLOURS[level]}${word}${RESET}` : word} ${message}`;
}
