/** Colours on a terminal, none elsewhere or when the user has set `NO_COLOR`. */
import picocolors from "picocolors";
import type { Output } from "./output.ts";

/** Functions that wrap text in a colour, or give it back as it is. */
export type Colours = Pick<
  ReturnType<typeof picocolors.createColors>,
  "bold" | "dim" | "green" | "red" | "yellow" | "cyan"
>;

/** No colours at all. */
export const noColours: Colours = picocolors.createColors(false);

/**
 * Colours for an output.
 *
 * @param noColor value of the environment variable `NO_COLOR`; any text but the empty one forbids
 */
export function coloursFor(output: Output, noColor = Deno.env.get("NO_COLOR")): Colours {
  return picocolors.createColors(output.isTerminal && (noColor ?? "") === "");
}
