/** Writing the folder that a run leaves: each file is there whole or not at all. */
import type { JsonObject } from "../core/json.ts";
import type { ResourceSample } from "../core/resources.ts";
import { decodeWeights, type Weights } from "../core/weights.ts";
import { pageHtml, pageSvg } from "../plot/page.ts";
import { accuracyPlot } from "./accuracy_plot.ts";
import type { SessionEntry } from "./events.ts";
import { type Results, type ResultsContext, resultsOf } from "./results.ts";
import { resultsCsv } from "./results_csv.ts";
import { runHistory } from "./run_history.ts";
import { runsPage } from "./run_plots.ts";
import type { SessionState } from "./state.ts";

/** Writes one file so that it appears whole, making its folder if need be. */
export type FileWriter = (path: string, content: string | Uint8Array) => Promise<void>;

/** A tfjs layers model as files by name: `model.json` and its weights. */
export type ModelFiles = (
  topology: JsonObject,
  weights: Weights,
) => { readonly files: Readonly<Record<string, string | Uint8Array>> };

/** What is written, and with what. */
export interface ResultsSources {
  /** Folder of this run, such as `runs/<session id>`. */
  readonly folder: string;
  readonly state: SessionState;
  readonly journal: readonly SessionEntry[];
  /** The last round's global model; null if no round has finished. */
  readonly model: {
    readonly topology: JsonObject;
    /** Encoded (safetensors), exactly the bytes whose hash is the weights' id. */
    readonly weights: Uint8Array<ArrayBuffer>;
  } | null;
  readonly context: ResultsContext;
  /** What the server used while the run went on. @default {[]} */
  readonly samples?: readonly ResourceSample[];
  readonly modelFiles: ModelFiles;
  readonly writeFile: FileWriter;
}

/**
 * Writes `results.json` (last, so that whoever sees it finds the rest), `results.csv`,
 * `accuracy.svg`, `log.jsonl`, with `generate_plots` also `plot.html` and `plot.svg`, and, if there is a model, `model.safetensors` and `model/`.
 *
 * @returns the content of `results.json`
 * @throws {FileAccessError} no space, or the folder cannot be written
 */
export async function writeResults(sources: ResultsSources): Promise<Results> {
  const { folder, state, journal, model, context, samples = [], modelFiles, writeFile } = sources;
  const all = resultsOf(state, context);
  const results = model === null ? { ...all, final: null } : all;
  if (model !== null) {
    await writeFile(`${folder}/model.safetensors`, model.weights);
    const { files } = modelFiles(model.topology, decodeWeights(model.weights));
    for (const [name, content] of Object.entries(files)) {
      await writeFile(`${folder}/model/${name}`, content);
    }
  }
  await writeFile(`${folder}/results.csv`, resultsCsv(results));
  await writeFile(`${folder}/accuracy.svg`, accuracyPlot(results));
  if (state.config.session_config.generate_plots) {
    const history = runHistory(results, journal);
    const resources = [{ name: "server", samples }];
    const page = runsPage(`Run ${history.name}`, [{ history, resources }]);
    await writeFile(`${folder}/plot.svg`, pageSvg(page));
    await writeFile(`${folder}/plot.html`, pageHtml(page));
  }
  const log = journal.map((entry) => `${JSON.stringify(entry)}\n`).join("");
  await writeFile(`${folder}/log.jsonl`, log);
  await writeFile(`${folder}/results.json`, `${JSON.stringify(results, null, 2)}\n`);
  return results;
}
