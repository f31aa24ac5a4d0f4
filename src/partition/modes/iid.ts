/**
 * `iid`, as in the original: of every class each client gets the same number, the next ones in
 * order. What is left of larger classes goes to nobody.
 */
import { UsageError } from "../../core/errors.ts";
import type { PartitionMode } from "../partition.ts";
import { classesWithRows, joinedByClient, rowsByClass } from "../rows_by_class.ts";

export const iid: PartitionMode = {
  summary: "the same number of every class, the rest of larger classes left out",
  options: [],
  overlaps: false,
  needsLabels: true,
  divide(rows, clients) {
    const byClass = rowsByClass(rows);
    const smallest = Math.min(...classesWithRows(byClass).map((label) => byClass[label]!.length));
    const each = Math.floor(smallest / clients);
    if (each === 0) {
      throw new UsageError(
        `Cannot give ${clients} clients the same number of every class as the smallest class has ` +
          `${smallest} rows: choose fewer clients, or --mode uniform`,
      );
    }
    const parts = byClass.map((ofClass) =>
      Array.from({ length: clients }, (_, i) => ofClass.subarray(i * each, (i + 1) * each))
    );
    return joinedByClient(parts, clients);
  },
};
