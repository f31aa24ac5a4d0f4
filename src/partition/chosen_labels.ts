/** Which labels each client has, where a mode limits them. */
import { UsageError } from "../core/errors.ts";
import { type Prng, sample } from "../core/prng.ts";
import type { PartitionOptions } from "./partition.ts";
import { classesWithRows } from "./rows_by_class.ts";

/**
 * The labels of each client: those that `--labels` names, or random ones.
 *
 * @param names what the numbers of the classes stand for; null if nothing
 * @throws {UsageError} a label that the data have not, one named twice, a list missing, or more
 * labels a client than there are
 */
export function chosenLabels(
  byClass: readonly Int32Array[],
  names: readonly string[] | null,
  clients: number,
  { labels, labelsPerClient }: PartitionOptions,
  prng: Prng,
): readonly (readonly number[])[] {
  const present = classesWithRows(byClass);
  if (labels !== undefined) {
    if (labelsPerClient !== undefined) {
      throw new UsageError("Cannot use --labels with --labels-per-client: leave one of them away");
    }
    if (labels.length !== clients) {
      throw new UsageError(
        `Cannot use --labels with ${labels.length} lists for ${clients} clients: one a client is needed`,
      );
    }
    return labels.map((list, i) => labelsOf(list, i + 1, present, names));
  }
  const each = labelsPerClient ?? Math.min(2, present.length);
  if (each > present.length) {
    throw new UsageError(
      `Cannot use --labels-per-client ${each} as the data have ${present.length} labels`,
    );
  }
  return Array.from({ length: clients }, () => sample(present, each, prng).sort((a, b) => a - b));
}

/** The numbers of the labels that one client's list names. */
function labelsOf(
  list: string,
  client: number,
  present: readonly number[],
  names: readonly string[] | null,
): readonly number[] {
  // A name may have a comma in it.
  const parts = names?.includes(list) ? [list] : list.split(",").map((part) => part.trim());
  const own = parts.map((part) => {
    const label = numberOf(part, names);
    if (label !== null && present.includes(label)) return label;
    throw new UsageError(
      `Cannot give client ${client} label "${part}" of --labels as the data have none of it: ` +
        `their labels are ${listed(present, names)}`,
    );
  });
  if (new Set(own).size === own.length) return own;
  throw new UsageError(
    `Cannot use --labels ${list} for client ${client} as a label stands there twice`,
  );
}

/** The number of a label that is written as its name or as its number; null if it is neither. */
function numberOf(text: string, names: readonly string[] | null): number | null {
  const place = names?.indexOf(text) ?? -1;
  if (place >= 0) return place;
  return /^\d+$/.test(text) ? Number(text) : null;
}

/** At most twenty of them, so that the message stays one line. */
function listed(labels: readonly number[], names: readonly string[] | null): string {
  const all = labels.map((label) => names?.[label] ?? String(label));
  return all.length <= 20 ? all.join(", ") : `${all.slice(0, 20).join(", ")}, ...`;
}
