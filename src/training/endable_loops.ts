/**
 * Makes the loops of a user's code end when its worker is to end: the runtime does not stop a worker
 * that never comes back to its event loop, and its thread would keep a core busy for good.
 */
import type { Node } from "acorn";

/** The global function that every turn of a loop calls. */
const CHECK = "__goOnUnlessEnded";

/** Where text is put into the code. */
interface Insertion {
  readonly at: number;
  readonly text: string;
}

/** JavaScript that does the same, on the same lines, and whose loops {@link endLoopsBy} can end. */
export async function endableLoops(code: string): Promise<string> {
  // Most models have none, and need not wait for the parser. Each loop has one of these words before
  // a bracket, unless a comment is between; the words alone are in many a comment.
  if (!/\b(for|while)\s*(\(|\/|await\b)/.test(code)) return code;
  const { parse } = await import("acorn");
  const { full } = await import("acorn-walk");
  let program: Node;
  try {
    program = parse(code, { ecmaVersion: "latest", sourceType: "module" });
  } catch {
    return code; // the runtime says what is wrong with it
  }
  const insertions: Insertion[] = [];
  full(program, (node) => {
    if (isLoop(node)) insertions.push(...checksOf(node.body));
  });
  insertions.sort((a, b) => a.at - b.at);
  let done = 0;
  const parts = insertions.map(({ at, text }) => {
    const part = code.slice(done, at) + text;
    done = at;
    return part;
  });
  return parts.join("") + code.slice(done);
}

// Loops go on wherever nobody says what ends them, as where a model is built outside of a worker.
Object.defineProperty(globalThis, CHECK, { configurable: true, value() {} });

/** From now on loops of {@link endableLoops} throw at their next turn once the flag is not 0. */
export function endLoopsBy(flag: Int32Array<SharedArrayBuffer>): void {
  Object.defineProperty(globalThis, CHECK, {
    configurable: true,
    value() {
      if (Atomics.load(flag, 0) !== 0) throw new Error("The code has been ended");
    },
  });
}

function isLoop(node: Node): node is Node & { readonly body: Node } {
  return /^(For|ForIn|ForOf|While|DoWhile)Statement$/.test(node.type);
}

function checksOf({ type, start, end }: Node): Insertion[] {
  if (type === "BlockStatement") return [{ at: start + 1, text: `${CHECK}();` }];
  return [{ at: start, text: `{${CHECK}();` }, { at: end, text: "}" }];
}
