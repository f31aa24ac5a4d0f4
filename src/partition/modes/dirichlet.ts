/**
 * `dirichlet` (Yurochkin et al., 2019, as the original has it): each class is divided by shares
 * drawn from Dirichlet(alpha), a client that has an equal part of the whole already drawing nothing;
 * all is drawn anew until every client has `minSamples` rows.
 */
import { UsageError } from "../../core/errors.ts";
import { type Prng, shuffle } from "../../core/prng.ts";
import { dirichletShares } from "../dirichlet_shares.ts";
import type { PartitionMode } from "../partition.ts";
import { cutByShares, joinedByClient, rowsByClass } from "../rows_by_class.ts";

const DEFAULT_ALPHA = 0.5;
const MOST_DRAWS = 1000;

export const dirichlet: PartitionMode = {
  summary: "each class by shares from Dirichlet(alpha): the smaller alpha, the less alike",
  options: ["alpha", "minSamples"],
  overlaps: false,
  needsLabels: true,
  divide(rows, clients, { alpha = DEFAULT_ALPHA, minSamples }, prng) {
    const least = fewest(minSamples, rows.count, clients);
    const byClass = rowsByClass(rows);
    for (let draw = 0; draw < MOST_DRAWS; draw++) {
      const parts = drawn(byClass, clients, alpha, prng);
      if (parts.every(({ length }) => length >= least)) return parts;
    }
    throw new UsageError(
      `Cannot give each of ${clients} clients ${least} rows with --alpha ${alpha} ` +
        `in ${MOST_DRAWS} draws: raise --alpha, or lower --min-samples`,
    );
  },
};

function drawn(byClass: readonly Int32Array[], clients: number, alpha: number, prng: Prng) {
  const equalPart = byClass.reduce((sum, { length }) => sum + length, 0) / clients;
  const have = new Array<number>(clients).fill(0);
  const parts = byClass.map((rows) => {
    const draw = dirichletShares(clients, alpha, prng);
    const open = draw.map((share, client) => have[client]! < equalPart ? share : 0);
    // Shares so small that they are 0 cannot be divided by: then all draw.
    const shares = open.some((share) => share > 0) ? open : draw;
    const cuts = cutByShares(shuffle(rows.slice(), prng), shares);
    cuts.forEach(({ length }, client) => have[client]! += length);
    return cuts;
  });
  return joinedByClient(parts, clients);
}

/**
 * Fewest rows of a client: 100 as in the original, or a tenth of an equal part if that is less.
 *
 * @throws {UsageError} there are not as many rows
 */
export function fewest(asked: number | undefined, rows: number, clients: number): number {
  if (asked === undefined) return Math.max(1, Math.min(100, Math.floor(rows / clients / 10)));
  if (asked * clients <= rows) return Math.max(1, asked);
  throw new UsageError(
    `Cannot give each of ${clients} clients --min-samples ${asked} as there are ${rows} rows`,
  );
}
