/** Text from elsewhere (names, reasons) made safe to print. */

/**
 * Replaces control characters, with which a client's name or a reason could move the cursor or
 * start a new line, by spaces.
 */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what must not get through
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
}
