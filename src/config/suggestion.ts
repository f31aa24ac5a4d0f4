/** The name that was probably meant. */
import { distance } from "fastest-levenshtein";

/**
 * Finds the known name nearest to a wrong one by edit distance; null if none is near: more than 2
 * edits and more than a third of the letters away.
 */
export function nearest(wrong: string, known: readonly string[]): string | null {
  if (wrong.length > 100) return null;
  const plain = wrong.toLowerCase().replaceAll("-", "_");
  let best: string | null = null;
  let least = Math.max(2, Math.floor(wrong.length / 3)) + 1;
  for (const name of known) {
    const edits = distance(plain, name.toLowerCase());
    // A name of which nothing is left over was not meant.
    if (edits < least && edits < name.length) [best, least] = [name, edits];
  }
  return best;
}

/**
 * The end of a message about an unknown name: `; did you mean "fedavg"? Known: fedavg, fedasync`.
 */
export function suggestion(wrong: string, known: readonly string[]): string {
  const meant = nearest(wrong, known);
  const guess = meant === null ? ". " : `; did you mean "${meant}"? `;
  return `${guess}Known: ${known.join(", ")}`;
}
