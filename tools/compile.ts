/**
 * `deno task compile [--target NAME]... [--out FILE]`: one executable a target in `dist/`.
 * NAME is a target of `deno compile`, or `all`; without one, this machine's.
 */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { type Bundle, makeBundle } from "./bundle.ts";
import { projectRoot, V8_FLAGS } from "./project.ts";

/** The systems that executables are made for. */
export const targets: readonly string[] = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

/** How to compile. */
export interface CompileOptions {
  readonly bundle: Bundle;
  /** The executable to write. */
  readonly out: string;
  /** One of {@link targets}; null for this machine's. */
  readonly target: string | null;
  /** The `deno` to compile with. @default {Deno.execPath()} */
  readonly deno?: string;
  /** Further environment of that `deno`. @default {{}} */
  readonly env?: Record<string, string>;
}

/** Flags of `deno compile`: what the program may do, and what it carries. */
export function compileFlags({ bundle, out, target }: CompileOptions): string[] {
  return [
    "compile",
    "-q",
    "-A",
    "--no-config",
    "--no-check",
    "--no-npm",
    // The code cache would be written to a temporary folder of the user.
    "--no-code-cache",
    "--unstable-worker-options",
    V8_FLAGS,
    ...[bundle.folder, ...bundle.workers].flatMap((path) => ["--include", path]),
    ...(target === null ? [] : ["--target", target]),
    "--output",
    out,
    bundle.main,
  ];
}

/** Makes one executable. @throws {Error} the compiler's own message */
export async function compile(options: CompileOptions): Promise<void> {
  await mkdir(dirname(options.out), { recursive: true });
  const { success, stderr } = await new Deno.Command(options.deno ?? Deno.execPath(), {
    args: compileFlags(options),
    cwd: projectRoot,
    env: { NO_COLOR: "1", ...options.env },
  }).output();
  if (!success) {
    const what = options.target ?? "this machine";
    throw new Error(`Cannot compile for ${what}: ${new TextDecoder().decode(stderr).trim()}`);
  }
}

/** The targets that a command line asks for; one null for this machine's own. */
export function chosenTargets(names: readonly string[]): (string | null)[] {
  if (names.length === 0) return [null];
  if (names.includes("all")) return [...targets];
  const unknown = names.find((name) => !targets.includes(name));
  if (unknown !== undefined) {
    throw new Error(
      `Cannot compile for "${unknown}" as it is not a target: choose all, ${targets.join(", ")}`,
    );
  }
  return [...names];
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { target: { type: "string", multiple: true }, out: { type: "string" } },
  });
  try {
    const chosen = chosenTargets((values.target ?? []).flatMap((names) => names.split(",")));
    if (values.out !== undefined && chosen.length > 1) {
      throw new Error("Cannot write several targets to one file: leave --out away");
    }
    const bundle = await makeBundle({ out: `${projectRoot}/dist/bundle` });
    for (const target of chosen) {
      const out = values.out ?? `dist/flotilla${target === null ? "" : `-${target}`}`;
      await compile({ bundle, out, target });
      console.log(`${out}${target?.includes("windows") ? ".exe" : ""}`);
    }
  } catch (error) {
    console.error(`error: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
