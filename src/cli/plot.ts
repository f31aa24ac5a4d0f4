/** `flotilla plot RUN...`: one page of HTML and SVG that compares runs. */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { FileAccessError, messageOf, UsageError } from "../core/errors.ts";
import { readSamples } from "../monitor/resources_csv.ts";
import { pageHtml, pageSvg } from "../plot/page.ts";
import type { SessionEntry } from "../session/events.ts";
import type { Results } from "../session/results.ts";
import { runHistory } from "../session/run_history.ts";
import { type PlottedRun, runsPage } from "../session/run_plots.ts";
import { writeFileAtomically } from "../state/atomic_file.ts";
import { examples } from "./command.ts";
import { jsonOption } from "./flags.ts";
import { standardOutput } from "./output.ts";
import { samplesIn } from "./resources.ts";

interface PlotFlags {
  readonly runsDir: string;
  readonly out?: string;
  readonly resources: readonly string[];
  readonly json?: boolean;
}

/** Adds arguments, flags, help and action. */
export function define(command: Command): void {
  command
    .argument("<run...>", "a run's folder, or its id (four characters are enough) in --runs-dir")
    .option("--runs-dir <dir>", "folder of results", "runs")
    .option("--out <name>", "files to write, without .html and .svg; one run: plot in its folder")
    .option("--resources <files...>", "resources.csv of clients that ran with --monitor", [])
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples(
        "flotilla plot runs/3c0f3b6a-80fe-4013-9cb3-ad5dccc96d86",
        "flotilla plot 3c0f 4fd4 --out comparison",
        "flotilla plot 3c0f --resources temp_1/resources.csv temp_2/resources.csv",
      ),
    )
    .action(plot);
}

async function plot(
  names: readonly string[],
  { runsDir, out, resources, json = false }: PlotFlags,
): Promise<void> {
  const folders = names.map((name) => folderOf(name, runsDir));
  const measured = await Promise.all(resources.map(measuredClient));
  const read = await Promise.all(folders.map((folder) => readRun(folder, measured)));
  const runs = withDifferentNames(read, folders);
  const title = runs.length === 1
    ? `Run ${runs[0]!.history.name}`
    : `Runs ${runs.map(({ history }) => history.name).join(", ")}`;
  const page = runsPage(title, runs);
  const base = out ?? (folders.length === 1 ? join(folders[0]!, "plot") : "plot");
  await writeFileAtomically(`${base}.svg`, pageSvg(page));
  await writeFileAtomically(`${base}.html`, pageHtml(page));
  const files = { html: `${base}.html`, svg: `${base}.svg` };
  standardOutput.write(
    json ? `${JSON.stringify({ runs: folders, ...files })}\n` : `${files.html}\n${files.svg}\n`,
  );
}

/** The folder that a user means. @throws {UsageError} there is none, or there are several */
function folderOf(name: string, runsDir: string): string {
  if (existsSync(join(name, "results.json"))) return name;
  const known = existsSync(runsDir)
    ? [...Deno.readDirSync(runsDir)].map((entry) => entry.name)
    : [];
  const matches = name.length < 4 ? [] : known.filter((id) => id.startsWith(name));
  if (matches.length > 1) {
    throw new UsageError(
      `Cannot plot "${name}" as ${matches.length} runs begin so: give more of it`,
    );
  }
  const folder = matches.length === 1 ? join(runsDir, matches[0]!) : name;
  if (existsSync(join(folder, "results.json"))) return folder;
  throw new UsageError(
    `Cannot plot "${name}" as neither it nor one run in ${runsDir} has a results.json: ` +
      "name a run that has ended, or its folder of runs with --runs-dir",
  );
}

async function readRun(folder: string, clients: PlottedRun["resources"]): Promise<PlottedRun> {
  const results = await parsed<Results>(join(folder, "results.json"), JSON.parse);
  const journal = await parsed<SessionEntry[]>(
    join(folder, "log.jsonl"),
    (text) => text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line)),
  );
  const server = { name: "server", samples: await samplesIn(folder) };
  const history = runHistory(results, journal);
  const until = journal.at(-1)?.at ?? Infinity;
  // A client's file goes on from run to run.
  const during = clients.map(({ name, samples }) => ({
    name,
    samples: samples.filter(({ atMs }) => atMs >= (history.startMs ?? 0) && atMs <= until),
  }));
  return { history, resources: [server, ...during] };
}

async function parsed<T>(path: string, parse: (text: string) => T): Promise<T> {
  try {
    return parse(await Deno.readTextFile(path));
  } catch (error) {
    throw new FileAccessError(`Cannot read ${path}: ${messageOf(error)}`);
  }
}

async function measuredClient(path: string): Promise<PlottedRun["resources"][number]> {
  const samples = await readSamples(path);
  if (samples.length > 0) return { name: basename(dirname(resolve(path))), samples };
  throw new UsageError(`Cannot use --resources "${path}" as it holds no samples of --monitor`);
}

/** Runs of one config have one name: their ids tell them apart. */
function withDifferentNames(runs: readonly PlottedRun[], folders: readonly string[]): PlottedRun[] {
  const names = runs.map(({ history }) => history.name);
  return runs.map(({ history, resources }, i) => {
    const isOnly = names.filter((name) => name === history.name).length === 1;
    const id = basename(resolve(folders[i]!)).slice(0, 8);
    const name = isOnly ? history.name : `${history.name} ${id}`;
    return { history: { ...history, name }, resources };
  });
}
