/**
 * What `deno task compile:check` asks of the commands around a run, of the executable and of the
 * clone alike: data, strategies of one's own, plots, checkpoints, states.
 */
import { sha256 } from "../src/core/model_package.ts";

/** Runs one command of the program and gives what it printed; `fails` is the exit code it must have. */
export type Run = (args: readonly string[], fails?: number) => Promise<string>;

/** Commands that need no server. @param folder in which the program runs, with the demo's data */
export async function checkAlone(run: Run, folder: string): Promise<void> {
  await run(["config", "--check", "config.yaml"]);
  const cut = ["data", "partition", "--from", "part_1/MNIST", "--mode", "dirichlet"];
  await run([...cut, "--alpha", "1", "--clients", "3", "--min-samples", "5", "--out", "cut"]);
  const rows = (await run(["data", "inspect", "cut", "--json"])).trim().split("\n");
  if (rows.length !== 4) throw new Error(`data inspect finds ${rows.length} datasets, not 4`);
  await Deno.stat(`${folder}/cut/partition.svg`);
  await run(["new", "strategy", "mean"]);
}

/**
 * Commands around a run that has ended.
 *
 * @param at flags that name the server
 * @param model SHA-256 of the model that the run has trained
 */
export async function checkBeside(
  run: Run,
  folder: string,
  at: readonly string[],
  model: string,
): Promise<void> {
  // The strategy that one starts from is the mean, so the model must be the same.
  const own = ["--set", "session_config.aggregator=./mean.ts"];
  const kept = ["--set", "session_config.checkpoint_interval=5"];
  const printed = await run(["session", "config.yaml", ...own, ...kept, ...at]);
  const session = /^session (\S+)/.exec(printed)?.[1] ?? "";
  const trained = await sha256(await Deno.readFile(`${folder}/runs/${session}/model.safetensors`));
  if (trained !== model) throw new Error(`The own mean trains model ${trained}, fedavg ${model}`);
  await run(["checkpoint", "inspect", `checkpoint/${session}_5.flotilla`]);
  await run(["plot", session]);
  await Deno.stat(`${folder}/runs/${session}/plot.html`);
  await run(["gc", "--dry-run", ...at]);
}

/** Commands on the state of a server that has ended. */
export async function checkState(run: Run): Promise<void> {
  await run(["state", "export", "all.flotilla"]);
  await run(["state", "import", "all.flotilla", "--state-dir", "copy"]);
}
