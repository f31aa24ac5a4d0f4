/** The one order of records, so that every store lists them alike. */
import type { Json } from "../core/json.ts";

/** Sorts records by key, in UTF-16 code units as JavaScript compares strings. */
export function byKey(records: [string, Json][]): [string, Json][] {
  return records.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
}
