/** A terminal without a window: what is written is interpreted as a real one would, and read back. */
import xterm from "@xterm/headless";
import type { Output } from "../../src/cli/output.ts";

/** A terminal of some size whose lines can be read. */
export class FakeTerminal implements Output {
  readonly isTerminal = true;
  /** Number of writes so far. */
  writes = 0;
  readonly #terminal: xterm.Terminal;
  #parsed: Promise<void> = Promise.resolve();

  constructor(columns = 80, rows = 24) {
    this.#terminal = new xterm.Terminal({
      cols: columns,
      rows,
      allowProposedApi: true,
      convertEol: true,
      scrollback: 1000,
    });
  }

  write(text: string): void {
    this.writes++;
    this.#parsed = new Promise((resolve) => this.#terminal.write(text, resolve));
  }

  size() {
    return { columns: this.#terminal.cols, rows: this.#terminal.rows };
  }

  /** All lines, scrolled up ones included, without empty ones at the end. */
  async lines(): Promise<string[]> {
    await this.#parsed;
    const { active } = this.#terminal.buffer;
    const lines = Array.from(
      { length: active.length },
      (_, i) => active.getLine(i)!.translateToString(true),
    );
    return lines.slice(0, lines.findLastIndex((line) => line !== "") + 1);
  }

  dispose(): void {
    this.#terminal.dispose();
  }
}
