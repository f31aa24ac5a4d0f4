/** `uniform`: all rows shuffled and cut into equal parts. */
import { shuffle } from "../../core/prng.ts";
import type { PartitionMode } from "../partition.ts";
import { allRows, cutEvenly } from "../rows_by_class.ts";

export const uniform: PartitionMode = {
  summary: "all rows, shuffled and cut into equal parts",
  options: [],
  overlaps: false,
  needsLabels: false,
  divide: (rows, clients, _options, prng) => cutEvenly(shuffle(allRows(rows.count), prng), clients),
};
