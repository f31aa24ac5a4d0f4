/**
 * `fixed_samples`, as in the original: each client gets `samples` rows, equally many of each class,
 * drawn at random; clients may hold the same rows.
 */
import { UsageError } from "../../core/errors.ts";
import { sample } from "../../core/prng.ts";
import type { PartitionMode } from "../partition.ts";
import { classesWithRows, joined, rowsByClass } from "../rows_by_class.ts";

export const fixedSamples: PartitionMode = {
  summary: "a number of rows a client, equally many of each class; clients may overlap",
  options: ["samples"],
  overlaps: true,
  needsLabels: true,
  divide(rows, clients, { samples = 1000 }, prng) {
    const byClass = rowsByClass(rows);
    const present = classesWithRows(byClass);
    const each = Math.floor(samples / present.length);
    if (each === 0) {
      throw new UsageError(
        `Cannot take --samples ${samples} as the data have ${present.length} labels: ` +
          "at least one row of each is needed",
      );
    }
    const short = present.find((label) => byClass[label]!.length < each);
    if (short !== undefined) {
      throw new UsageError(
        `Cannot take ${each} rows of each label for --samples ${samples} as label ${short} has ` +
          `${byClass[short]!.length}`,
      );
    }
    const lists = present.map((label) => [...byClass[label]!]);
    return Array.from(
      { length: clients },
      () => joined(lists.map((ofClass) => Int32Array.from(sample(ofClass, each, prng)))),
    );
  },
};
