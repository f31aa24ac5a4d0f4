/** Takes from a model's code the ways to end its worker without a word, which no one could see. */
import process from "node:process";

/** Makes `close`, `Deno.exit` and `process.exit` throw in this worker. */
export function forbidEnding(): void {
  const owners = [
    [globalThis, "close"],
    [Deno, "exit"],
    [process, "exit"],
    [process, "reallyExit"],
  ] as const;
  for (const [owner, name] of owners) {
    Object.defineProperty(owner, name, {
      value() {
        throw new Error(`a model must not call ${name}()`);
      },
    });
  }
}
