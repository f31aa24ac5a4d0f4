/** The registry of partition modes, and the one door to them: checks that hold for all. */
import { UsageError } from "../core/errors.ts";
import { seeded } from "../core/prng.ts";
import { deriveSeed } from "../core/derive_seed.ts";
import { column } from "./modes/column.ts";
import { dirichlet } from "./modes/dirichlet.ts";
import { equalLabel } from "./modes/equal_label.ts";
import { fixedSamples } from "./modes/fixed_samples.ts";
import { iid } from "./modes/iid.ts";
import { limitLabel } from "./modes/limit_label.ts";
import { limitLabelUnique } from "./modes/limit_label_unique.ts";
import { probability } from "./modes/probability.ts";
import { quantitySkew } from "./modes/quantity_skew.ts";
import { shard } from "./modes/shard.ts";
import { uniform } from "./modes/uniform.ts";
import type { Partition, PartitionMode, PartitionOptions, Rows } from "./partition.ts";

/** All modes, the original's first. */
export const partitionModes = {
  iid,
  dirichlet,
  limit_label: limitLabel,
  limit_label_unique: limitLabelUnique,
  probability,
  equal_label: equalLabel,
  fixed_samples: fixedSamples,
  uniform,
  shard,
  quantity_skew: quantitySkew,
  column,
} as const satisfies Record<string, PartitionMode>;

/** The name of a mode. */
export type PartitionModeName = keyof typeof partitionModes;

/** How to divide. */
export interface PartitionPlan {
  readonly mode: PartitionModeName;
  /** Number of clients; null where the mode's own options or the data tell it. */
  readonly clients: number | null;
  readonly options: PartitionOptions;
  /** The same seed gives the same partition on every machine. */
  readonly seed: number;
}

/**
 * Divides rows among clients.
 *
 * @throws {UsageError} more clients than rows, an option that the mode does not take, a mode that
 * needs classes where there are none, a client without a row, or what the mode itself refuses
 */
export function partitionRows(rows: Rows, { mode: name, clients, options, seed }: PartitionPlan) {
  const mode: PartitionMode = partitionModes[name];
  checkOptions(name, mode, options);
  if (mode.needsLabels && rows.labels === null) {
    throw new UsageError(
      `Cannot divide by ${name} as the labels are numbers to predict, not classes: ` +
        `choose --mode ${namesWithout("needsLabels").join(", ")}`,
    );
  }
  const count = clients ?? (mode.clientsOf?.(rows, options) || null);
  if (count === null) throw new UsageError(`Cannot divide by ${name} without --clients`);
  if (count > rows.count) {
    throw new UsageError(`Cannot divide ${rows.count} rows among ${count} clients: choose fewer`);
  }
  const prng = seeded(deriveSeed(seed, "partition", name));
  const parts: Partition = mode.divide(rows, count, options, prng);
  const empty = parts.findIndex(({ length }) => length === 0);
  if (empty >= 0) {
    throw new UsageError(
      `Cannot divide by ${name} as client ${empty + 1} would get no row: ` +
        "choose fewer clients or other options",
    );
  }
  return parts;
}

/** Spelling of an option on the command line. */
export function flagOf(option: string): string {
  return `--${option.replaceAll(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`;
}

function checkOptions(name: string, mode: PartitionMode, options: PartitionOptions): void {
  const given = Object.keys(options) as (keyof PartitionOptions)[];
  const foreign = given.find((option) => !mode.options.includes(option));
  if (foreign === undefined) return;
  const own = mode.options.map(flagOf).join(", ");
  throw new UsageError(
    `Cannot use ${flagOf(foreign)} with --mode ${name}: it takes ${own || "no options"}`,
  );
}

function namesWithout(property: "needsLabels"): string[] {
  return Object.entries(partitionModes).flatMap(([name, mode]) => mode[property] ? [] : [name]);
}
