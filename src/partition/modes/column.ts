/**
 * `column`: rows with the same value in a column stay together, as those of one hospital do. With
 * fewer clients than values the values are dealt out, the largest first, each to whoever has least.
 */
import { UsageError } from "../../core/errors.ts";
import type { PartitionMode, Rows } from "../partition.ts";
import { joined, rowsByClass } from "../rows_by_class.ts";

export const column: PartitionMode = {
  summary: "one client for each value of --column; with fewer clients, several values a client",
  options: [],
  overlaps: false,
  needsLabels: false,
  clientsOf: (rows) => columnOf(rows).names.length,
  divide(rows, clients) {
    const { names, values } = columnOf(rows);
    if (clients > names.length) {
      throw new UsageError(
        `Cannot divide among ${clients} clients as the column has ${names.length} values`,
      );
    }
    const byValue = rowsByClass({ ...rows, labels: values, classes: names.length });
    if (clients === names.length) return byValue;
    const dealt = Array.from({ length: clients }, () => ({ size: 0, lists: [] as Int32Array[] }));
    for (const list of byValue.sort((a, b) => b.length - a.length)) {
      const least = dealt.reduce((a, b) => b.size < a.size ? b : a);
      least.size += list.length;
      least.lists.push(list);
    }
    return dealt.map(({ lists }) => joined(lists));
  },
};

function columnOf({ column }: Rows) {
  if (column !== null) return column;
  throw new UsageError("Cannot divide by column without --column: name one of the table's");
}
