/**
 * Makes `dist/bundle`: the program as plain JavaScript with everything it reads at run time laid
 * out as in the source tree, so that an executable carries this one folder and nothing else.
 */
import { dirname, relative } from "node:path";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { filesUnder, projectRoot } from "./project.ts";

/** Folders that the program reads beside its code. */
const ASSETS = ["proto", "config", "models", "examples", "LICENSE"];

/**
 * Workers that share no code with others and use nothing of Node, with the modules that they never
 * load: one may read nothing but its own folder, and the first module of the other must run before
 * all else, which code that is shared would not wait for.
 */
const ALONE: Readonly<Record<string, readonly string[]>> = {
  "src/training/threads/step_thread.ts": [],
  "src/training/model_worker/worker.ts": [
    "src/training/npm_tfjs.ts",
    "src/training/strip_types.ts",
  ],
};

/** What to bundle. */
export interface BundleOptions {
  /** Folder to write to; emptied first. */
  readonly out: string;
  /** Modules run before all others, as paths from the project's root. @default {[]} */
  readonly first?: readonly string[];
}

/** What an executable is made of. */
export interface Bundle {
  readonly folder: string;
  /** The program. */
  readonly main: string;
  /** Modules that are loaded by their address only, such as workers. */
  readonly workers: readonly string[];
}

/**
 * Bundles `main.ts` and the workers that it starts, with dynamic imports as files of their own.
 *
 * esbuild moves modules into files of another folder, where `import.meta.url` means something else.
 * So a staged copy of the source names its own place in full, counted from the bundle's root, where
 * all generated files are; a worker is kept at the address that its source has in the tree.
 */
export async function makeBundle({ out, first = [] }: BundleOptions): Promise<Bundle> {
  const stage = await Deno.makeTempDir({ prefix: "flotilla-bundle-" });
  try {
    const workers = await stageSources(stage, first);
    await rm(out, { recursive: true, force: true });
    await mkdir(out, { recursive: true });
    const sharing = workers.flatMap((path, index) => path in ALONE ? [] : workerEntry(index));
    const entries = ["main.ts", ...sharing];
    await runBundler(stage, ["--platform=deno", "--code-splitting", "--outdir", out, ...entries]);
    for (const [index, worker] of workers.entries()) {
      const unused = ALONE[worker];
      if (unused !== undefined) {
        for (const file of unused) await write(`${stage}/${file}`, "export {};\n");
        await runBundler(stage, ["--platform=browser", "--output", `${out}/${worker}`, worker]);
        continue;
      }
      const toRoot = relative(dirname(worker), ".");
      await write(
        `${out}/${worker}`,
        `import "${toRoot}/${workerEntry(index).replace(/ts$/, "js")}";\n`,
      );
    }
    for (const asset of ASSETS) {
      await cp(`${projectRoot}/${asset}`, `${out}/${asset}`, { recursive: true });
    }
    await write(`${out}/.git/HEAD`, `${await currentCommit()}\n`);
    return {
      folder: out,
      main: `${out}/main.js`,
      workers: workers.map((path) => `${out}/${path}`),
    };
  } finally {
    await rm(stage, { recursive: true });
  }
}

/** Copies what the bundler needs; returns the workers found, as paths from the root. */
async function stageSources(stage: string, first: readonly string[]): Promise<string[]> {
  const workers = new Set<string>();
  for (const file of [...filesUnder("src", ".ts"), ...first]) {
    const source = await readFile(`${projectRoot}/${file}`, "utf8");
    for (const worker of workersIn(source, file)) workers.add(worker);
    await write(`${stage}/${file}`, withNamedImports(withAbsolutePlace(source, file)));
  }
  const main = await readFile(`${projectRoot}/main.ts`, "utf8");
  const imports = first.map((file) => `import "./${file}";\n`).join("");
  await write(`${stage}/main.ts`, imports + main);
  for (const file of ["deno.json", "deno.lock"]) {
    await cp(`${projectRoot}/${file}`, `${stage}/${file}`);
  }
  for (const [index, worker] of [...workers].entries()) {
    await write(`${stage}/${workerEntry(index)}`, `import "./${worker}";\n`);
  }
  return [...workers];
}

/** Source whose `import.meta.url` is its place below the bundle's root, wherever it ends up. */
export function withAbsolutePlace(source: string, file: string): string {
  return source.replaceAll("import.meta.url", `new URL("./${file}", import.meta.url).href`);
}

/**
 * Source whose dynamic imports of packages have the names of a CommonJS module too: the bundler
 * gives those a default export alone, where the runtime gives names as well.
 */
export function withNamedImports(source: string): string {
  return source.replaceAll(
    /(?<!typeof )\bimport\(\s*("(?!\.|node:)[^"]+"),?\s*\)(?!\.[A-Z])/g,
    "import($1).then((module) => ({ ...module.default, ...module }))",
  );
}

/** The modules that a source names by address: `new URL("./worker.ts", import.meta.url)`. */
export function workersIn(source: string, file: string): string[] {
  const literals = source.matchAll(/new URL\(\s*"([^"]+\.ts)",\s*import\.meta\.url,?\s*\)/g);
  return [...literals].map(([, path]) => new URL(path ?? "", `file:///${file}`).pathname.slice(1));
}

function workerEntry(index: number): string {
  return `worker_${index + 1}.ts`;
}

async function runBundler(stage: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "-q", ...args],
    cwd: stage,
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) throw new Error(`Cannot bundle: ${new TextDecoder().decode(stderr)}`);
}

async function currentCommit(): Promise<string> {
  const fromEnvironment = Deno.env.get("FLOTILLA_COMMIT");
  if (fromEnvironment) return fromEnvironment;
  try {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["rev-parse", "HEAD"],
      cwd: projectRoot,
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : "unknown";
  } catch {
    return "unknown";
  }
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

if (import.meta.main) {
  const { folder } = await makeBundle({ out: `${projectRoot}/dist/bundle` });
  console.log(folder);
}
