/** A strategy that a config names by its file is the user's own code. */

/** Files of strategies by the name that a config has for them: their text. */
export type StrategyFiles = Readonly<Record<string, string>>;

/** Whether the name of a strategy is that of a file, such as `./my_strategy.ts`. */
export function isStrategyFile(name: string): boolean {
  return /\.(ts|js|mjs)$/.test(name);
}
