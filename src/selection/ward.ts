/**
 * Groups of similar clients: agglomerative clustering with Ward's linkage, which merges the pair of
 * groups with the least `sqrt(2 |A| |B| / (|A| + |B|)) * ||mean(A) - mean(B)||`.
 */
import { agnes } from "ml-hclust";

/**
 * The group of each vector, from 0 to `count - 1`; groups are numbered in the order of their first
 * members, so that the numbers depend on nothing else.
 *
 * @param count at least 1; fewer groups than that only if there are fewer vectors
 */
export function wardGroups(vectors: readonly (readonly number[])[], count: number): number[] {
  const groups = Math.min(count, vectors.length);
  if (groups <= 1) return vectors.map(() => 0);
  const tree = agnes(vectors.map((vector) => [...vector]), { method: "ward2" });
  const members = tree.group(groups).children
    .map((cluster) => cluster.indices().sort((a, b) => a - b))
    .sort((a, b) => a[0]! - b[0]!);
  const groupOf = new Array<number>(vectors.length).fill(0);
  for (const [group, indices] of members.entries()) {
    for (const index of indices) groupOf[index] = group;
  }
  return groupOf;
}
