/** `deno task check:layers`: fails on an import that points the wrong way, and on a cycle. */
import { relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Import, importCycles, wrongArrows } from "./layers.ts";
import { filesUnder, projectRoot } from "./project.ts";

/** The part of `deno info --json` that is read here; lines count from 0. */
interface ModuleGraph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: Target;
      readonly type?: Target;
    }[];
  }[];
}
interface Target {
  readonly specifier?: string;
  readonly error?: string;
  readonly span: { readonly start: { readonly line: number } };
}

/** All imports among the files of a project, as the compiler's own parser sees them. */
export async function importsOf(root: string, files: readonly string[]): Promise<Import[]> {
  const graphRoot = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const all = files.map((file) => `import ${JSON.stringify(pathToFileURL(file).href)};\n`);
    await Deno.writeTextFile(graphRoot, all.join(""));
    const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", `${root}/deno.json`, graphRoot],
      cwd: root,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const graph = JSON.parse(new TextDecoder().decode(stdout)) as ModuleGraph;
    const skipped = pathToFileURL(graphRoot).href;
    return graph.modules.flatMap((module) =>
      module.specifier === skipped ? [] : importsFrom(module, root)
    );
  } finally {
    await Deno.remove(graphRoot);
  }
}

function importsFrom(module: ModuleGraph["modules"][number], root: string): Import[] {
  const path = (url: string) => relative(root, fileURLToPath(url)).replaceAll("\\", "/");
  if (!module.specifier.startsWith("file:")) return [];
  const from = path(module.specifier);
  return (module.dependencies ?? []).flatMap(({ code, type }) =>
    [code, type].flatMap((target) =>
      target?.specifier?.startsWith("file:")
        ? [{
          from,
          to: path(target.specifier),
          line: target.span.start.line + 1,
          typeOnly: target === type,
        }]
        : []
    )
  ).filter(({ to }) => !to.startsWith("../"));
}

if (import.meta.main) {
  const files = ["main.ts", ...filesUnder("src", ".ts")].map((file) => `${projectRoot}/${file}`);
  const imports = await importsOf(projectRoot, files);
  const violations = wrongArrows(imports);
  const cycles = importCycles(imports);
  for (const { import: { from, to, line }, rule } of violations) {
    console.error(`${from}:${line} imports ${to}: ${rule}`);
  }
  for (const cycle of cycles) console.error(`cycle: ${[...cycle, cycle[0]].join(" -> ")}`);
  if (violations.length + cycles.length > 0) Deno.exit(1);
  console.log(`layers: ${imports.length} imports among ${files.length} files, all as allowed`);
}
