/** The order in which names of labels and groups get their numbers. */

/** Different names in order: as numbers if all are, else by their characters' codes. */
export function sortedNames(cells: Iterable<string>): string[] {
  const names = [...new Set(cells)];
  const isNumeric = names.every((name) => name.trim() !== "" && Number.isFinite(Number(name)));
  return isNumeric ? names.sort((a, b) => Number(a) - Number(b)) : names.sort();
}
