/**
 * Keeps a strategy's code from importing: the runtime fetches packages of npm for a module whatever
 * its worker's permissions are, so that an import would reach the network.
 */
import process from "node:process";
import { init, parse } from "es-module-lexer";

/** @throws {TypeError} the code imports a module, or could */
export async function refuseImports(code: string): Promise<void> {
  await init;
  const [imports] = parse(code);
  const found = imports.find(({ type }) => type !== "import-meta");
  if (found === undefined) return;
  const statement = code.slice(found.importStart, found.importEnd).split("\n", 1)[0]!;
  throw new TypeError(`a strategy may import nothing but types: ${statement.slice(0, 80)}`);
}

/** Takes away what makes code of text, in which an import would not be seen. */
export function forbidCodeFromText(): void {
  // No arrow function, so that it can also be called with "new".
  function refuse(): never {
    throw new TypeError("a strategy may not make code of text");
  }
  const makers = [
    function () {},
    async function () {},
    function* () {},
    async function* () {},
  ].map((one) => Object.getPrototypeOf(one));
  for (const prototype of makers) fix(prototype, "constructor", refuse);
  fix(globalThis, "eval", refuse);
  fix(globalThis, "Function", refuse);
  fix(globalThis, "Worker", refuse);
  fix(process, "getBuiltinModule", refuse);
  for (const name of ["setTimeout", "setInterval"] as const) {
    const timer = globalThis[name] as (callback: unknown, ...rest: unknown[]) => unknown;
    fix(globalThis, name, (callback: unknown, ...rest: unknown[]) => {
      return typeof callback === "function" ? timer(callback, ...rest) : refuse();
    });
  }
}

function fix(owner: object, name: string, value: unknown): void {
  Object.defineProperty(owner, name, { value, writable: false, configurable: false });
}
