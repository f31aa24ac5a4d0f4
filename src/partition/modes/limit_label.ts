/**
 * `limit_label`, as in the original: each client has a few labels, random or named, and of each a
 * random fraction of the class; clients may hold the same rows.
 */
import { sample } from "../../core/prng.ts";
import type { PartitionMode } from "../partition.ts";
import { chosenLabels } from "../chosen_labels.ts";
import { joined, rowsByClass } from "../rows_by_class.ts";

export const limitLabel: PartitionMode = {
  summary: "a few labels a client, of each a random fraction of the class; clients may overlap",
  options: ["labelsPerClient", "labels", "fraction"],
  overlaps: true,
  needsLabels: true,
  clientsOf: (_rows, { labels }) => labels?.length ?? 0,
  divide(rows, clients, options, prng) {
    const { fraction = 0.1 } = options;
    const byClass = rowsByClass(rows);
    return chosenLabels(byClass, rows.names ?? null, clients, options, prng).map((labels) =>
      joined(labels.map((label) => {
        const ofClass = [...byClass[label]!];
        return Int32Array.from(sample(ofClass, Math.ceil(fraction * ofClass.length), prng));
      }))
    );
  },
};
