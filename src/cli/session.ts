/** `flotilla session CONFIG`: checks a run's config, submits it, and shows the run to its end. */
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { readConfigText } from "../config/load.ts";
import { parseSessionConfig } from "../config/parse_session.ts";
import { readPackage } from "../config/read_package.ts";
import type { SessionConfig } from "../config/session_config.ts";
import { ConfigError, ExitCode, messageOf, UsageError } from "../core/errors.ts";
import { isStrategyFile, type StrategyFiles } from "../config/strategy_files.ts";
import type { ModelPackage } from "../core/model_package.ts";
import { examples } from "./command.ts";
import { endpointOption, jsonOption } from "./flags.ts";
import { followToExit, interruptSignal } from "./follow_run.ts";
import { LeaderApi } from "./leader_api.ts";
import { standardOutput } from "./output.ts";
import { sessionRegistries } from "./session_registries.ts";

interface SessionFlags {
  readonly federatedServerEndpoint: string;
  readonly set: readonly string[];
  readonly detach?: boolean;
  readonly json?: boolean;
  readonly sessionId?: string;
  readonly restore?: boolean;
  readonly revive?: boolean;
  readonly file?: boolean;
}

/** Adds arguments, flags and the action. */
export function define(command: Command): void {
  command
    .argument("<config>", "YAML file that describes the run")
    .addOption(endpointOption())
    .option("--set <key.path=value>", "change a key of the config; may be repeated", collect, [])
    .option("--detach", "print the id and return, without watching the run")
    .addOption(jsonOption())
    .option("--session-id <id>", "id of a run to continue, with --restore, --revive or --file")
    .option("--restore", "continue a run where it was (not supported yet)")
    .option("--revive", "continue a run with other clients (not supported yet)")
    .option("--file", "continue a run from a checkpoint file (not supported yet)")
    .addHelpText(
      "after",
      examples(
        "flotilla session config.yaml",
        "flotilla session config.yaml --set server_training_config.num_training_rounds=20",
        "flotilla session config.yaml --federated-server-endpoint lab:12345 --detach",
      ) + EXIT_CODES,
    )
    .action(runSession);
}

const EXIT_CODES = `
Exit codes: 0 the run finished, 1 it failed or was stopped, 2 the config or a flag is wrong,
3 the server cannot be reached, 130 detached with Ctrl-C (the run goes on).
`;

async function runSession(file: string, flags: SessionFlags): Promise<void> {
  refuseContinuation(flags);
  const leader = new LeaderApi(flags.federatedServerEndpoint);
  const text = await readConfigText(file);
  const config = parseSessionConfig(text, file, sessionRegistries, flags.set);
  const modelPackage = await packageFor(config, file);
  const strategies = await strategiesFor(config, file);
  const interrupt = interruptSignal();
  let session: string;
  try {
    session = await leader.submit(config, modelPackage, interrupt, strategies);
  } catch (error) {
    if (!interrupt.aborted) throw error;
    Deno.exitCode = ExitCode.interrupted;
    return;
  }
  const json = flags.json ?? false;
  standardOutput.write(json ? `${JSON.stringify({ session })}\n` : `session ${session}\n`);
  if (flags.detach) return;
  await followToExit(leader, session, interrupt, { output: standardOutput, json });
}

function refuseContinuation(flags: SessionFlags): void {
  for (const name of ["restore", "revive", "file"] as const) {
    if (flags[name]) {
      throw new UsageError(
        `Cannot use --${name} as continuing a run by hand is not supported yet: a server that ` +
          "restarts continues its open runs by itself",
      );
    }
  }
  if (flags.sessionId !== undefined) {
    throw new UsageError(
      "Cannot use --session-id without --restore, --revive or --file, which are not supported " +
        `yet: every run gets an id of its own; to watch one use "flotilla logs ID --follow"`,
    );
  }
}

/** The model as the user has it; null to let the leader use its own of that name. */
async function packageFor(config: SessionConfig, file: string): Promise<ModelPackage | null> {
  const folder = config.server_training_config.model_dir;
  if (folder === null) return null;
  for (const place of [resolve(dirname(file), folder), resolve(folder)]) {
    if (await isFolder(place)) {
      return await readPackage(place, config.client_training_config.model_id);
    }
  }
  return null;
}

/** The text of the strategies that the config names by file, relative to the config's folder. */
async function strategiesFor(
  { session_config: session }: SessionConfig,
  file: string,
): Promise<StrategyFiles> {
  const strategies: Record<string, string> = {};
  for (const key of ["aggregator", "client_selection"] as const) {
    const name = session[key];
    if (!isStrategyFile(name)) continue;
    try {
      strategies[name] = await Deno.readTextFile(resolve(dirname(file), name));
    } catch (error) {
      const reason = error instanceof Deno.errors.NotFound
        ? "there is no such file"
        : messageOf(error);
      throw new ConfigError(`cannot be "${name}": ${reason}`, {
        file,
        key: `session_config.${key}`,
      });
    }
  }
  return strategies;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
