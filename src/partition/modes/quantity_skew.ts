/** `quantity_skew`: rows alike, numbers of them not: the clients' sizes are drawn from Dirichlet(alpha). */
import { allIndices, shuffle } from "../../core/prng.ts";
import { dirichletShares } from "../dirichlet_shares.ts";
import type { PartitionMode } from "../partition.ts";
import { cutByShares, cutEvenly, joinedByClient } from "../rows_by_class.ts";
import { fewest } from "./dirichlet.ts";

export const quantitySkew: PartitionMode = {
  summary: "all rows shuffled, the clients' sizes drawn from Dirichlet(alpha)",
  options: ["alpha", "minSamples"],
  overlaps: false,
  needsLabels: false,
  divide(rows, clients, { alpha = 1, minSamples }, prng) {
    // Everybody gets the least first, so that one draw is enough.
    const granted = fewest(minSamples, rows.count, clients) * clients;
    const order = shuffle(allIndices(rows.count), prng);
    const shares = dirichletShares(clients, alpha, prng);
    return joinedByClient([
      cutEvenly(order.subarray(0, granted), clients),
      cutByShares(order.subarray(granted), shares),
    ], clients);
  },
};
