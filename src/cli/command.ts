/** What a subcommand is to the program: a name that is known at once, and flags that load when used. */
import type { Command } from "commander";

/** The module of one subcommand. */
export interface CommandModule {
  /** Adds arguments, flags, examples and the action to a command that already has its name. */
  define(command: Command): void;
}

/** One row of the command table. */
export interface CommandEntry {
  readonly name: string;
  /** One line for `flotilla --help`. */
  readonly summary: string;
  /** Imports the module; only the subcommand that is used pays for what it needs. */
  readonly load: () => Promise<CommandModule>;
}

/** Example lines for the end of a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}\n`;
}
