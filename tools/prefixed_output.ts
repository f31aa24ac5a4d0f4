/**
 * The output of several processes in one terminal: every line begins with the name of its process,
 * in a colour of its own where colours are wanted.
 */
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Colours } from "../src/cli/colours.ts";

/** A colour that tells one process from the others. */
export type LabelColour = "cyan" | "yellow" | "green" | "red";

/** How the lines of one process begin. */
export interface Label {
  readonly name: string;
  readonly colour: LabelColour;
  /** Characters that the longest name takes, so that all lines begin in one column. */
  readonly width: number;
}

/**
 * A function that prints a line behind its label.
 *
 * @param print gets the whole line, without a line end
 */
export function prefixed(
  { name, colour, width }: Label,
  colours: Colours,
  print: (line: string) => void = console.log,
): (line: string) => void {
  const label = colours[colour](`${name.padEnd(width)} |`);
  return (line) => print(`${label} ${line}`);
}

/** Hands every line that a process prints, on either stream, to `say`. */
export function sayOutput({ stdout, stderr }: ChildProcess, say: (line: string) => void): void {
  for (const output of [stdout, stderr]) {
    if (output !== null) createInterface({ input: output }).on("line", say);
  }
}
