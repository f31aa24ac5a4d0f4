/** Takes from a model's code the ways to end its worker without a word, which no one could see. */
import { nodeProcess } from "./closed_code.ts";

/** Makes `close`, `Deno.exit` and `process.exit` throw in this worker. */
export function forbidEnding(): void {
  const owners: [object, string][] = [[globalThis, "close"], [Deno, "exit"]];
  const process = nodeProcess();
  if (process !== null) owners.push([process, "exit"], [process, "reallyExit"]);
  for (const [owner, name] of owners) {
    Object.defineProperty(owner, name, {
      value() {
        throw new Error(`a model must not call ${name}()`);
      },
    });
  }
}
