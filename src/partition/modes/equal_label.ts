/** `equal_label`, as in the original: one part that has the first rows of each class, all equally many. */
import { UsageError } from "../../core/errors.ts";
import type { PartitionMode } from "../partition.ts";
import { classesWithRows, joined, rowsByClass } from "../rows_by_class.ts";

export const equalLabel: PartitionMode = {
  summary: "one part with equally many rows of each class",
  options: [],
  overlaps: false,
  needsLabels: true,
  clientsOf: () => 1,
  divide(rows, clients) {
    if (clients !== 1) {
      throw new UsageError(
        `Cannot divide by equal_label among ${clients} clients as it makes one part: ` +
          "leave --clients away, or choose --mode iid",
      );
    }
    const byClass = rowsByClass(rows);
    const present = classesWithRows(byClass).map((label) => byClass[label]!);
    const smallest = Math.min(...present.map(({ length }) => length));
    return [joined(present.map((ofClass) => ofClass.subarray(0, smallest)))];
  },
};
