/** Rows sorted by class, and cuts of a list: what most modes begin and end with. */
import { UsageError } from "../core/errors.ts";
import type { Rows } from "./partition.ts";

/** Numbers of the rows of each class, in order. @throws {UsageError} the rows have no classes */
export function rowsByClass({ labels, classes }: Rows): Int32Array[] {
  if (labels === null) throw new UsageError("Cannot divide by class as the data have no classes");
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label]! += 1;
  const lists = counts.map((count) => new Int32Array(count));
  const next = new Array<number>(classes).fill(0);
  labels.forEach((label, row) => lists[label]![next[label]!++] = row);
  return lists;
}

/** The classes that have rows; a gap in the numbers is no class to draw. */
export function classesWithRows(byClass: readonly Int32Array[]): number[] {
  return byClass.flatMap((rows, label) => rows.length > 0 ? [label] : []);
}

/** Cuts a list into parts that differ by at most one in length, the longer ones first. */
export function cutEvenly(rows: Int32Array, parts: number): Int32Array[] {
  const base = Math.floor(rows.length / parts);
  const longer = rows.length % parts;
  let start = 0;
  return Array.from({ length: parts }, (_, part) => {
    const end = start + base + (part < longer ? 1 : 0);
    const cut = rows.subarray(start, end);
    start = end;
    return cut;
  });
}

/**
 * Cuts a list where the running sum of the shares says; all of it goes to somebody.
 *
 * @param shares not negative, at least one positive; a share of 0 gets nothing
 */
export function cutByShares(rows: Int32Array, shares: readonly number[]): Int32Array[] {
  const total = shares.reduce((sum, share) => sum + share, 0);
  const last = shares.findLastIndex((share) => share > 0);
  let sum = 0;
  let start = 0;
  return shares.map((share, part) => {
    sum += share;
    // Rounding must not leave a row over, nor give one to a share of nothing.
    const end = part >= last ? rows.length : Math.floor(rows.length * Math.min(1, sum / total));
    const cut = rows.subarray(start, end);
    start = end;
    return cut;
  });
}

/** One list of several. */
export function joined(lists: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(lists.reduce((sum, list) => sum + list.length, 0));
  let start = 0;
  for (const list of lists) {
    all.set(list, start);
    start += list.length;
  }
  return all;
}

/** For each client the rows that it gets of every class, as one list in order of class. */
export function joinedByClient(parts: readonly (readonly Int32Array[])[], clients: number) {
  return Array.from(
    { length: clients },
    (_, client) => joined(parts.map((ofClass) => ofClass[client] ?? new Int32Array())),
  );
}
