/**
 * Clusters of clients with similar labels: Ward's clustering of their label distributions over the
 * union of all labels, 0 where a client has none of one.
 */
import type { ClientId } from "../core/ids.ts";
import type { Candidate } from "./selector.ts";
import { checkGroupCount } from "./tiers.ts";
import { wardGroups } from "./ward.ts";

/** The cluster of each client, as a selector's state keeps it. */
export type ClusterState = { readonly clusters: Readonly<Record<ClientId, number>> };

/** No clusters yet. */
export const noClusters: ClusterState = { clusters: {} };

/**
 * The clusters of these clients: those of before, or new ones if somebody has none. A client whose
 * labels are not known counts as having all of them alike.
 *
 * @throws {SessionFailedError} the first clusters shall be more than there are clients
 */
export function clustersOf(
  before: ClusterState,
  clients: readonly Candidate[],
  count: number,
): ClusterState {
  if (clients.every(({ id }) => Object.hasOwn(before.clusters, id))) return before;
  checkGroupCount(Object.keys(before.clusters).length === 0, clients.length, count);
  const labels = [
    ...new Set(clients.flatMap(({ labelDistribution }) => Object.keys(labelDistribution ?? {}))),
  ].sort();
  const vectors = clients.map(({ labelDistribution }) =>
    labels.map((label) =>
      labelDistribution === null
        ? 1 / labels.length
        : Object.hasOwn(labelDistribution, label)
        ? labelDistribution[label]!
        : 0
    )
  );
  const groups = labels.length === 0 ? clients.map(() => 0) : wardGroups(vectors, count);
  return { clusters: Object.fromEntries(clients.map(({ id }, i) => [id, groups[i]!])) };
}

/** The clients of each cluster that has any, by cluster. */
export function byCluster<T extends Candidate>(
  { clusters }: ClusterState,
  clients: readonly T[],
): T[][] {
  const groups = Map.groupBy(clients, ({ id }) => clusters[id] ?? 0);
  return [...groups].sort(([a], [b]) => a - b).map(([, members]) => members);
}
