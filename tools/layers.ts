/**
 * Which folder of `src/` may import which: the arrows of the architecture as data, and the pure
 * check of an import graph against them.
 */

/** One import statement between two files, both relative to the project's root. */
export interface Import {
  readonly from: string;
  readonly to: string;
  /** Counts from 1. */
  readonly line: number;
  /** `import type`: gone once the program runs. */
  readonly typeOnly: boolean;
}

/** An import that breaks a rule. */
export interface Violation {
  readonly import: Import;
  readonly rule: string;
}

/** The contract files: the only ones of their folder that a round may name, and by type alone. */
export const contractFiles: ReadonlySet<string> = new Set([
  "src/discovery/discovery.ts",
  "src/rpc/transport.ts",
  "src/state/store.ts",
  "src/training/trainer.ts",
  "src/selection/selector.ts",
  "src/aggregation/aggregator.ts",
  "src/custom/custom_strategy.ts",
  "src/log/log.ts",
]);

/** What a layer may import beside itself: folders of `src/`, or single files. */
interface Layer {
  /** `*` stands for every folder. */
  readonly imports: readonly string[];
  /** May name the types of every contract file. */
  readonly contractTypes: boolean;
}

const front: Layer = {
  imports: [
    "session",
    "config",
    "selection",
    "aggregation",
    "core",
    "archive",
    "src/state/atomic_file.ts",
    "src/state/file_access.ts",
    "src/log/log.ts",
  ],
  contractTypes: true,
};
const adapter: Layer = { imports: ["core", "src/log/log.ts"], contractTypes: true };

/** The layers by name: a folder of `src/`, or `main` for `main.ts`. */
export const layers: Readonly<Record<string, Layer>> = {
  main: { imports: ["cli", "core"], contractTypes: false },
  cli: { imports: ["*"], contractTypes: true },
  server: front,
  client: front,
  simulation: front,
  session: {
    imports: ["selection", "aggregation", "config", "core", "plot", "src/log/log.ts"],
    contractTypes: true,
  },
  selection: { imports: ["core"], contractTypes: true },
  aggregation: { imports: ["core", "kernels"], contractTypes: true },
  custom: {
    imports: [
      "selection",
      "aggregation",
      "core",
      "src/training/closed_code.ts",
      "src/training/endable_loops.ts",
      "src/training/strip_types.ts",
    ],
    contractTypes: true,
  },
  partition: { imports: ["core"], contractTypes: false },
  monitor: { imports: ["core", "src/log/log.ts"], contractTypes: false },
  plot: { imports: [], contractTypes: false },
  config: { imports: ["core"], contractTypes: false },
  discovery: adapter,
  rpc: adapter,
  state: adapter,
  archive: {
    imports: ["core", "src/state/file_access.ts", "src/state/read_from.ts"],
    contractTypes: true,
  },
  log: adapter,
  training: { imports: ["core", "data", "kernels", "src/log/log.ts"], contractTypes: true },
  data: { imports: ["config", "core"], contractTypes: true },
  kernels: { imports: ["core"], contractTypes: false },
  core: { imports: [], contractTypes: false },
};

/** The layer of a file: `main` for `main.ts`, else its folder in `src/`; null outside both. */
export function layerOf(file: string): string | null {
  if (file === "main.ts") return "main";
  const [top, folder, ...rest] = file.split("/");
  return top === "src" && folder !== undefined && rest.length > 0 ? folder : null;
}

/** The imports that point the wrong way; an unknown folder is one too. */
export function wrongArrows(imports: readonly Import[]): Violation[] {
  return imports.flatMap((edge) => {
    const rule = brokenRule(edge);
    return rule === null ? [] : [{ import: edge, rule }];
  });
}

function brokenRule(edge: Import): string | null {
  const from = layerOf(edge.from);
  const to = layerOf(edge.to);
  if (from === null) return null;
  const layer = layers[from];
  if (layer === undefined) return `${from} is not in the table of layers`;
  if (to === null) return edge.to === "deno.json" ? null : `${from} may import from src alone`;
  if (from === to) return null;
  if (layer.imports.some((allowed) => allowed === "*" || allowed === to || allowed === edge.to)) {
    return null;
  }
  if (edge.typeOnly && layer.contractTypes && contractFiles.has(edge.to)) return null;
  const types = layer.contractTypes ? ", and types of contract files" : "";
  return `${from} may import ${layer.imports.join(", ") || "nothing"}${types}`;
}

/**
 * Cycles of imports that exist at run time, each as the files in order, beginning with the first by
 * name; every strongly connected group of files is reported once.
 */
export function importCycles(imports: readonly Import[]): string[][] {
  const next = new Map<string, string[]>();
  for (const { from, to, typeOnly } of imports) {
    if (!typeOnly) next.set(from, [...next.get(from) ?? [], to].sort());
  }
  const cycles: string[][] = [];
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const start = path.indexOf(file);
    if (start >= 0) {
      cycles.push(startingWithFirst(path.slice(start)));
      return;
    }
    if (finished.has(file)) return;
    path.push(file);
    for (const target of next.get(file) ?? []) visit(target);
    path.pop();
    finished.add(file);
  };
  for (const file of [...next.keys()].sort()) visit(file);
  return cycles;
}

function startingWithFirst(cycle: readonly string[]): string[] {
  const first = cycle.indexOf([...cycle].sort()[0] ?? "");
  return [...cycle.slice(first), ...cycle.slice(0, first)];
}
