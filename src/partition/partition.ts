/**
 * What a way to divide rows among clients is. Modes (one file each, see `registry.ts`) are pure:
 * labels, options and a seeded generator in, row numbers out.
 */
import type { Prng } from "../core/prng.ts";

/** The rows to divide; one of them has a number from 0, a label, and perhaps a group. */
export interface Rows {
  readonly count: number;
  /** Class of each row; null where labels are targets of a regression. */
  readonly labels: Int32Array | null;
  /** Number of classes; 0 without labels. */
  readonly classes: number;
  /** What the numbers of the classes stand for. @default nothing */
  readonly names?: readonly string[] | null;
  /** Values of the column that `--column` names; null if none is named. */
  readonly column: ColumnValues | null;
}

/** A column of the data, each value as a number into a list of names. */
export interface ColumnValues {
  readonly names: readonly string[];
  /** For each row, which of `names`. */
  readonly values: Int32Array;
}

/** The options of all modes, as the command line has them; a mode says which it takes. */
export interface PartitionOptions {
  /** Concentration of the Dirichlet distribution: small is uneven, large is even. */
  readonly alpha?: number;
  /** Fewest rows of a client. */
  readonly minSamples?: number;
  /** Part in (0, 1] of a class that a client gets. */
  readonly fraction?: number;
  readonly labelsPerClient?: number;
  /**
   * Labels of each client, in place of random ones: names or numbers with commas between them. A
   * name goes before a number that is written like it.
   */
  readonly labels?: readonly string[];
  readonly samples?: number;
  /** Part in [0, 1] of every class for each client; together at most 1. */
  readonly probability?: readonly number[];
  readonly shardsPerClient?: number;
}

/** A list for each client: the numbers of its rows, each at most once. */
export type Partition = readonly Int32Array[];

/** A way to divide rows. */
export interface PartitionMode {
  /** One line for help. */
  readonly summary: string;
  /** Options that the mode takes; any other is refused. */
  readonly options: readonly (keyof PartitionOptions)[];
  /** Whether a row may go to several clients. */
  readonly overlaps: boolean;
  /** Whether rows must have classes. */
  readonly needsLabels: boolean;
  /** How many clients the options or the data ask for when nobody says; null: somebody must. */
  clientsOf?(rows: Rows, options: PartitionOptions): number;
  /**
   * Divides the rows.
   *
   * @param clients at least 1, at most the number of rows
   * @throws {UsageError} the options cannot be met by these rows
   */
  divide(rows: Rows, clients: number, options: PartitionOptions, prng: Prng): Int32Array[];
}
