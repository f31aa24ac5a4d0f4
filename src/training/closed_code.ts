/**
 * Keeps a user's code from importing: the runtime fetches packages of npm for a module whatever its
 * worker's permissions are, so that an import would reach the network.
 */
// Keeps for kernels what is taken away here, even if they are loaded later.
import "../kernels/engine.ts";

/** What is shown of a statement. */
const SHOWN = 80;

/**
 * The first statement or call of a module that imports, or null; not `import.meta`.
 *
 * @throws {Error} the code is no module: names the place
 */
export async function firstImport(code: string): Promise<string | null> {
  // Neither word can be written in another way. Most models have none, and need not wait.
  if (!/import|from/.test(code)) return null;
  const { init, parse } = await import("es-module-lexer/js");
  await init;
  const [imports] = parse(code);
  const found = imports.find(({ type }) => type !== "import-meta");
  if (found === undefined) return null;
  return code.slice(found.importStart, found.importEnd).split("\n", 1)[0]!.slice(0, SHOWN);
}

/**
 * Takes away what makes code of text, in which an import would not be seen, and what makes code of
 * bytes, as kernels are compiled by a part of the engine that is still an experiment of its makers.
 *
 * @param whose as in "a model may not make code of text"
 */
export function forbidCodeFromText(whose: string): void {
  // No arrow function, so that it can also be called with "new".
  function refuse(): never {
    throw new TypeError(`${whose} may not make code of text`);
  }
  // Functions are still asked for by "instanceof Function".
  refuse.prototype = Function.prototype;
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
  const process = nodeProcess();
  if (process !== null) fix(process, "getBuiltinModule", refuse);
  const bytes = Object.getOwnPropertyNames(WebAssembly).map((name) => [
    name,
    function () {
      throw new TypeError(`${whose} may not use WebAssembly`);
    },
  ]);
  fix(globalThis, "WebAssembly", Object.freeze(Object.fromEntries(bytes)));
  for (const name of ["setTimeout", "setInterval"] as const) {
    const own = Object.getOwnPropertyDescriptor(globalThis, name)!;
    fix(globalThis, name, (callback: unknown, ...rest: unknown[]) => {
      if (typeof callback !== "function") return refuse();
      // The runtime loads its timers when they are first looked at.
      const timer = own.get === undefined ? own.value : own.get.call(globalThis);
      return timer(callback, ...rest);
    });
  }
}

/** Node's `process`; null in a model worker, which has none. */
export function nodeProcess(): object | null {
  return (globalThis as { process?: object }).process ?? null;
}

function fix(owner: object, name: string, value: unknown): void {
  Object.defineProperty(owner, name, { value, writable: false, configurable: false });
}
