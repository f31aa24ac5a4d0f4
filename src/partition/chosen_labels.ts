/** Which labels each client has, where a mode limits them. */
import { UsageError } from "../core/errors.ts";
import { type Prng, sample } from "../core/prng.ts";
import type { PartitionOptions } from "./partition.ts";
import { classesWithRows } from "./rows_by_class.ts";

/**
 * The labels of each client: those that `--labels` names, or random ones.
 *
 * @throws {UsageError} a label that the data have not, one named twice, a list missing, or more
 * labels a client than there are
 */
export function chosenLabels(
  byClass: readonly Int32Array[],
  clients: number,
  { labels, labelsPerClient }: PartitionOptions,
  prng: Prng,
): readonly (readonly number[])[] {
  const present = classesWithRows(byClass);
  if (labels !== undefined) {
    if (labelsPerClient !== undefined) {
      throw new UsageError("Cannot use --labels with --labels-per-client: leave one of them away");
    }
    checkNamed(labels, clients, present);
    return labels;
  }
  const each = labelsPerClient ?? Math.min(2, present.length);
  if (each > present.length) {
    throw new UsageError(
      `Cannot use --labels-per-client ${each} as the data have ${present.length} labels`,
    );
  }
  return Array.from({ length: clients }, () => sample(present, each, prng).sort((a, b) => a - b));
}

function checkNamed(
  labels: readonly (readonly number[])[],
  clients: number,
  present: readonly number[],
): void {
  if (labels.length !== clients) {
    throw new UsageError(
      `Cannot use --labels with ${labels.length} lists for ${clients} clients: one a client is needed`,
    );
  }
  for (const [client, own] of labels.entries()) {
    const missing = own.find((label) => !present.includes(label));
    if (missing !== undefined) {
      throw new UsageError(
        `Cannot give client ${
          client + 1
        } label ${missing} of --labels as the data have none of it: ` +
          `their labels are ${listed(present)}`,
      );
    }
    if (new Set(own).size < own.length) {
      throw new UsageError(
        `Cannot use --labels ${own.join(",")} for client ${
          client + 1
        } as a label stands there twice`,
      );
    }
  }
}

/** At most twenty of them, so that the message stays one line. */
function listed(labels: readonly number[]): string {
  return labels.length <= 20 ? labels.join(", ") : `${labels.slice(0, 20).join(", ")}, ...`;
}
