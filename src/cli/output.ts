/** Where a command prints: a stream that may be a terminal of some size. */

/** A place to print to. */
export interface Output {
  /**
   * Writes text as it is.
   *
   * @throws {OutputClosedError} whoever read it has gone, as `head` does
   */
  write(text: string): void;
  /** Whether a person sees it as it is written, so that redrawing and colours make sense. */
  readonly isTerminal: boolean;
  /** Current size in characters; 80 by 24 where unknown. */
  size(): { readonly columns: number; readonly rows: number };
}

/** The reader of the output has gone: there is nobody left to tell anything. */
export class OutputClosedError extends Error {
  override name = "OutputClosedError";
}

/** Standard output. */
export const standardOutput: Output = outputTo(Deno.stdout);

/** Standard error, for errors and hints. */
export const errorOutput: Output = outputTo(Deno.stderr);

function outputTo(stream: typeof Deno.stdout): Output {
  return {
    write: (text) => writeAll(stream, new TextEncoder().encode(text)),
    isTerminal: stream.isTerminal() && Deno.env.get("TERM") !== "dumb",
    size: consoleSize,
  };
}

function writeAll(stream: typeof Deno.stdout, bytes: Uint8Array): void {
  try {
    for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw new OutputClosedError();
    throw error;
  }
}

function consoleSize(): { columns: number; rows: number } {
  try {
    const { columns, rows } = Deno.consoleSize();
    // Some terminals say 0 by 0 until they are laid out.
    if (columns > 0 && rows > 0) return { columns, rows };
  } catch {
    // No terminal at all.
  }
  return { columns: 80, rows: 24 };
}
