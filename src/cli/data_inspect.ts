/** `flotilla data inspect`: what a dataset holds, and which of its rows are bad. */
import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { DataError, ExitCode } from "../core/errors.ts";
import type { DatasetSpec } from "../data/dataset.ts";
import { inspectDataset, type Inspection, type ValueSummary } from "../data/inspect.ts";
import { DATASET_CONFIG_FILES, readDatasetSpec } from "../data/spec.ts";
import { examples } from "./command.ts";
import { jsonOption } from "./flags.ts";
import { standardOutput } from "./output.ts";
import { printRows } from "./print_rows.ts";
import { printable } from "./printable.ts";

/** Lines for the end of the help. */
export const INSPECT_EXAMPLES = [
  "flotilla data inspect data/part_1/MNIST",
  "flotilla data inspect data/d03 --json",
  "flotilla data inspect patients.csv",
];

/** Adds arguments, flags, help and action. */
export function defineInspect(command: Command): void {
  command
    .description(
      "print items, shape, labels, range of values and bad rows; exit code 1 if any is bad",
    )
    .argument("<dir>", "a dataset's folder, a folder of such folders, or a data file")
    .addOption(jsonOption())
    .addHelpText("after", examples(...INSPECT_EXAMPLES))
    .action(inspect);
}

async function inspect(path: string, { json = false }: { readonly json?: boolean }): Promise<void> {
  const found: Inspection[] = [];
  for (const spec of await specsAt(path)) {
    const one = await inspectDataset(spec);
    if (json) standardOutput.write(`${JSON.stringify(one)}\n`);
    found.push(one);
  }
  if (!json && found.length === 1) standardOutput.write(detailed(found[0]!));
  else if (!json) printTable(path, found);
  if (found.some(({ bad }) => bad > 0)) Deno.exitCode = ExitCode.failed;
}

/** The dataset in a folder, those one and two folders below, or a file as a dataset. */
async function specsAt(path: string): Promise<DatasetSpec[]> {
  if (existsSync(path) && statSync(path).isFile()) {
    const file = await Deno.realPath(path);
    const name = basename(file);
    const numbering = { classes: null, normalise: null, labelNames: "sorted" } as const;
    return [{ name, folder: dirname(file), files: name, ...numbering }];
  }
  const folders = datasetFolders(path, 2);
  if (folders.length > 0) {
    return await Promise.all(folders.map(async (folder) => (await readDatasetSpec(folder)).spec));
  }
  throw new DataError(
    `Cannot find a dataset in ${path}: its folder has a ${DATASET_CONFIG_FILES.join(" or ")}`,
  );
}

function datasetFolders(folder: string, depth: number): string[] {
  if (DATASET_CONFIG_FILES.some((name) => existsSync(join(folder, name)))) return [folder];
  if (depth === 0 || !existsSync(folder)) return [];
  const inner = [...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name);
  // part_2 before part_10.
  inner.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return inner.flatMap((name) => datasetFolders(join(folder, name), depth - 1));
}

const COLUMNS = [
  { title: "DATASET" },
  { title: "ITEMS", align: "right" },
  { title: "SHAPE", dropped: 2 },
  { title: "LABELS", align: "right" },
  { title: "RANGE", dropped: 1 },
  { title: "BAD ROWS", align: "right" },
] as const;

function printTable(path: string, found: readonly Inspection[]): void {
  const root = resolve(path);
  printRows(COLUMNS, found, ({ folder, items, shape, labels, values, bad }) => [
    relative(root, folder),
    String(items),
    shape.join(" x "),
    labels.kind === "targets" ? "numbers" : String(labels.counts.filter((n) => n > 0).length),
    range(values),
    bad === 0 ? "-" : String(bad),
  ], { json: false, none: "no dataset" });
}

const BAR = 40;
const SHOWN_LABELS = 50;

function detailed({ name, items, shape, type, values, labels, bad, bad_rows }: Inspection): string {
  const most = labels.kind === "classes" ? Math.max(1, ...labels.counts) : 1;
  const labelLines = labels.kind === "targets"
    ? [`labels   numbers to predict, ${summary(labels.values)}`]
    : [
      `labels   ${labels.classes} classes`,
      ...labels.counts.slice(0, SHOWN_LABELS).map((count, label) => {
        const bar = "█".repeat(Math.round(count / most * BAR));
        const share = `${(100 * count / Math.max(1, items)).toFixed(1)} %`;
        const title = printable(labels.names?.[label] ?? String(label));
        return `${title.padStart(8)} ${String(count).padStart(8)} ${share.padStart(7)} ${bar}`;
      }),
      ...(labels.counts.length > SHOWN_LABELS ? ["     ... (--json has all)"] : []),
    ];
  return [
    `dataset  ${printable(name)}`,
    `items    ${items}, each ${shape.join(" x ")} of ${TYPES[type]}`,
    `values   ${summary(values)}`,
    ...labelLines,
    `bad rows ${bad === 0 ? "none" : bad}`,
    ...bad_rows.map(({ row, reason }) => `     row ${row}: ${printable(reason)}`),
    ...(bad > bad_rows.length ? [`     ... and ${bad - bad_rows.length} more`] : []),
    "",
  ].join("\n");
}

const TYPES = { u1: "bytes", i4: "32-bit integers", f4: "32-bit floats" } as const;

function summary(values: ValueSummary): string {
  if (values.mean === null || values.std === null) return "none";
  return `${range(values)}, mean ${short(values.mean)}, standard deviation ${short(values.std)}`;
}

function range({ least, most }: ValueSummary): string {
  return least === null || most === null ? "-" : `${short(least)} to ${short(most)}`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(5)));
}
