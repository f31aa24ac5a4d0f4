/**
 * `shard` (McMahan et al., 2017): rows sorted by label are cut into shards, of which each client
 * gets a few at random; with two, most clients have two labels.
 */
import { UsageError } from "../../core/errors.ts";
import { shuffle } from "../../core/prng.ts";
import type { PartitionMode } from "../partition.ts";
import { cutEvenly, joined, rowsByClass } from "../rows_by_class.ts";

export const shard: PartitionMode = {
  summary: "rows sorted by label and cut into shards, a few at random for each client",
  options: ["shardsPerClient"],
  overlaps: false,
  needsLabels: true,
  divide(rows, clients, { shardsPerClient = 2 }, prng) {
    const count = clients * shardsPerClient;
    if (count > rows.count) {
      throw new UsageError(
        `Cannot cut ${rows.count} rows into ${count} shards: lower --shards-per-client or --clients`,
      );
    }
    const sorted = joined(rowsByClass(rows).map((ofClass) => shuffle(ofClass, prng)));
    const dealt = shuffle(cutEvenly(sorted, count), prng);
    return Array.from(
      { length: clients },
      (_, i) => joined(dealt.slice(i * shardsPerClient, (i + 1) * shardsPerClient)),
    );
  },
};
