/** `uniform`: all rows shuffled and cut into equal parts. */
import { allIndices, shuffle } from "../../core/prng.ts";
import type { PartitionMode } from "../partition.ts";
import { cutEvenly } from "../rows_by_class.ts";

export const uniform: PartitionMode = {
  summary: "all rows, shuffled and cut into equal parts",
  options: [],
  overlaps: false,
  needsLabels: false,
  divide: (rows, clients, _options, prng) =>
    cutEvenly(shuffle(allIndices(rows.count), prng), clients),
};
