/** `probability`, as in the original: client i gets the next ceil(p_i * size) rows of every class. */
import { UsageError } from "../../core/errors.ts";
import type { PartitionMode } from "../partition.ts";
import { joinedByClient, rowsByClass } from "../rows_by_class.ts";

/** Sums such as 0.1 * 10 come out a little above 1. */
const ROUNDING = 1e-9;

export const probability: PartitionMode = {
  summary: "a part of every class for each client, as --probability says; its list counts clients",
  options: ["probability"],
  overlaps: false,
  needsLabels: true,
  clientsOf: (_rows, { probability }) => probability?.length ?? 0,
  divide(rows, clients, { probability: parts }) {
    if (parts === undefined) {
      throw new UsageError("Cannot divide by probability without --probability: one a client");
    }
    if (parts.length !== clients) {
      throw new UsageError(
        `Cannot use --probability with ${parts.length} numbers for ${clients} clients: ` +
          "one a client is needed",
      );
    }
    const sum = parts.reduce((total, part) => total + part, 0);
    if (sum > 1 + ROUNDING) {
      throw new UsageError(
        `Cannot use --probability ${parts.join(" ")} as they sum to ${
          Number(sum.toPrecision(6))
        }: ` +
          "at most 1 is there to divide",
      );
    }
    const cuts = rowsByClass(rows).map((ofClass) => {
      let next = 0;
      return parts.map((part) => {
        const start = next;
        next += Math.ceil(part * ofClass.length - ROUNDING);
        return ofClass.subarray(start, next);
      });
    });
    return joinedByClient(cuts, clients);
  },
};
