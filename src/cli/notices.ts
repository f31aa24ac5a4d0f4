/** Keys of a configuration without effect, as commands tell them: on standard error, a line each. */
import { type Notice, noticeLine } from "../config/notices.ts";
import { errorOutput } from "./output.ts";

/** Prints them. */
export function printNotices(notices: readonly Notice[]): void {
  for (const notice of notices) errorOutput.write(`note: ${noticeLine(notice)}\n`);
}
