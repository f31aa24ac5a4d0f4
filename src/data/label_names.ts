/**
 * Labels that are words. Their numbers are their places in a list of names, which must be the same
 * for all clients of a run: `label_names` of the dataset's configuration.
 */

/**
 * The names of a dataset's labels in the order of their numbers; `sorted` numbers those that are
 * found in the order of the alphabet, for data that stand by themselves.
 */
export type LabelNames = readonly string[] | "sorted";

/** Names that say more than the numbers do; null for "0", "1", "2" and so on. */
export function tellingNames(names: readonly string[]): readonly string[] | null {
  return names.every((name, number) => name === String(number)) ? null : names;
}
