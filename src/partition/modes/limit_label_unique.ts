/**
 * `limit_label_unique`, as in the original: each client has a few labels, random or named, and of
 * each a number of rows that nobody else has, or what is left.
 */
import { shuffle } from "../../core/prng.ts";
import type { PartitionMode } from "../partition.ts";
import { chosenLabels } from "../chosen_labels.ts";
import { joined, rowsByClass } from "../rows_by_class.ts";

export const limitLabelUnique: PartitionMode = {
  summary: "a few labels a client, of each a number of rows that nobody else has",
  options: ["labelsPerClient", "labels", "samples"],
  overlaps: false,
  needsLabels: true,
  clientsOf: (_rows, { labels }) => labels?.length ?? 0,
  divide(rows, clients, options, prng) {
    const { samples = 100 } = options;
    const pools = rowsByClass(rows).map((ofClass) => shuffle(ofClass, prng));
    return chosenLabels(pools, rows.names ?? null, clients, options, prng).map((labels) =>
      joined(labels.map((label) => {
        const taken = pools[label]!.subarray(0, samples);
        pools[label] = pools[label]!.subarray(samples);
        return taken;
      }))
    );
  },
};
