/** `flotilla session CONFIG`: checks a run's config, submits it, and shows the run to its end. */
import { dirname, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { readConfigText } from "../config/load.ts";
import { sessionNotices } from "../config/notices.ts";
import { parseSessionConfig, sessionConfigFrom } from "../config/parse_session.ts";
import { readPackage } from "../config/read_package.ts";
import type { SessionConfig } from "../config/session_config.ts";
import { ConfigError, ExitCode, messageOf, UsageError } from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";
import { isStrategyFile, type StrategyFiles } from "../config/strategy_files.ts";
import type { ModelPackage } from "../core/model_package.ts";
import { examples } from "./command.ts";
import { endpointOption, jsonOption } from "./flags.ts";
import { followToExit, interruptSignal } from "./follow_run.ts";
import { LeaderApi } from "./leader_api.ts";
import { printNotices } from "./notices.ts";
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
  readonly from?: string;
  readonly round?: number;
}

/** Adds arguments, flags and the action. */
export function define(command: Command): void {
  command
    .argument(
      "[config]",
      "YAML file that describes the run; may be left out to continue or fork one",
    )
    .addOption(endpointOption())
    .option("--set <key.path=value>", "change a key of the config; may be repeated", collect, [])
    .option("--detach", "print the id and return, without watching the run")
    .addOption(jsonOption())
    .option("--session-id <id>", "the run that --restore or --revive continues")
    .option("--restore", "continue a failed or stopped run where it was, with the same clients")
    .option(
      "--revive",
      "continue it after its last finished round with the clients that are there; " +
        "with --restore: only if some of its clients are missing",
    )
    .option("--file", "continue it from the server's checkpoint file instead of its state")
    .option("--from <id>", "begin a new run with the rounds of this one, up to --round")
    .option("--round <k>", "the round for --from, or of the checkpoint for --file", roundNumber)
    .addHelpText(
      "after",
      examples(
        "flotilla session config.yaml",
        "flotilla session config.yaml --set server_training_config.num_training_rounds=20",
        "flotilla session config.yaml --federated-server-endpoint lab:12345 --detach",
        "flotilla session --restore --session-id 3f2c",
        "flotilla session --revive --file --session-id 3f2c",
        "flotilla session --from 3f2c --round 4 --set client_training_config.learning_rate=0.001",
      ) + EXIT_CODES,
    )
    .action(runSession);
}

const EXIT_CODES = `
Exit codes: 0 the run finished, 1 it failed or was stopped, 2 the config or a flag is wrong or the
run cannot be continued so, 3 the server cannot be reached, 130 detached with Ctrl-C (the run goes on).
`;

async function runSession(file: string | undefined, flags: SessionFlags): Promise<void> {
  checkFlags(file, flags);
  const leader = new LeaderApi(flags.federatedServerEndpoint);
  const interrupt = interruptSignal();
  const begin = flags.from !== undefined
    ? await forkOf(leader, flags)
    : flags.sessionId !== undefined
    ? await continuationOf(leader, file, flags)
    : await submissionOf(leader, file!, flags);
  let session: string;
  try {
    session = await begin(interrupt);
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

/** Asks the server to begin; gives the run's id. */
type Begin = (signal: AbortSignal) => Promise<SessionId>;

async function submissionOf(leader: LeaderApi, file: string, flags: SessionFlags): Promise<Begin> {
  const text = await readConfigText(file);
  const config = parseSessionConfig(text, file, sessionRegistries, flags.set);
  printNotices(sessionNotices(text, file, sessionRegistries, flags.set));
  const modelPackage = await packageFor(config, file);
  const strategies = await strategiesFor(config, file);
  return (signal) => leader.submit(config, modelPackage, signal, strategies);
}

async function continuationOf(
  leader: LeaderApi,
  file: string | undefined,
  flags: SessionFlags,
): Promise<Begin> {
  const { restore = false, revive = false, sessionId } = flags;
  const config = file === undefined
    ? null
    : parseSessionConfig(await readConfigText(file), file, sessionRegistries, flags.set);
  return (signal) =>
    leader.continue(sessionId!, {
      how: restore && revive ? "either" : restore ? "restore" : "revive",
      file: flags.file ?? false,
      ...(flags.round !== undefined && { round: flags.round }),
      ...(config !== null && { config }),
    }, signal);
}

async function forkOf(leader: LeaderApi, flags: SessionFlags): Promise<Begin> {
  const { from, round, set } = flags;
  const { session_id: parent, config } = await leader.session(from!);
  const changedBy = (values: readonly string[]) =>
    sessionConfigFrom(config, `config of ${parent}`, sessionRegistries, values);
  const changed = changedBy(set);
  const strategies = await newStrategies(changedBy([]).session_config, changed.session_config);
  return (signal) => leader.fork(parent, { round: round!, config: changed, strategies }, signal);
}

/** @throws {UsageError} flags that make no sense together, or one that is missing */
function checkFlags(file: string | undefined, flags: SessionFlags): void {
  const { restore, revive, sessionId, from, round, set } = flags;
  const continues = restore || revive;
  const refuse = (text: string): never => {
    throw new UsageError(text);
  };
  if (from !== undefined) {
    if (continues || flags.file || sessionId !== undefined) {
      refuse(
        "Cannot use --from with --restore, --revive, --file or --session-id: it begins a new run",
      );
    }
    if (file !== undefined) {
      refuse(`Cannot use "${file}" with --from: a fork has its parent's config, changed by --set`);
    }
    if (round === undefined) {
      refuse("Cannot fork a run without --round: give the round after which");
    }
    return;
  }
  if (!continues) {
    if (flags.file) {
      refuse(
        "Cannot use --file alone as it says from where to continue: add --restore or --revive",
      );
    }
    if (sessionId !== undefined) {
      refuse(
        "Cannot use --session-id without --restore or --revive: every run gets an id of its own; to " +
          'watch one use "flotilla logs ID --follow"',
      );
    }
    if (round !== undefined) refuse("Cannot use --round without --from or --file");
    if (file === undefined) {
      refuse(
        "Cannot submit a run without a config: give a YAML file, or --restore, --revive or --from",
      );
    }
    return;
  }
  if (sessionId === undefined) {
    refuse('Cannot continue a run without --session-id: "flotilla ps" lists the ids');
  }
  if (round !== undefined && !flags.file) {
    refuse("Cannot use --round with --restore or --revive but for --file: --from forks a run");
  }
  if (set.length > 0 && file === undefined) {
    refuse("Cannot use --set as a continued run keeps its config: fork it with --from and --round");
  }
}

function roundNumber(text: string): number {
  const round = Number(text);
  if (Number.isInteger(round) && round >= 1) return round;
  throw new InvalidArgumentError("It must be a whole number of at least 1.");
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

const STRATEGY_KEYS = ["aggregator", "client_selection"] as const;
type StrategyKey = (typeof STRATEGY_KEYS)[number];
type StrategyNames = Pick<SessionConfig["session_config"], StrategyKey>;

/** The text of the strategies that the config names by file, relative to the config's folder. */
async function strategiesFor(
  { session_config: names }: SessionConfig,
  file: string,
): Promise<StrategyFiles> {
  return await strategyTexts(names, STRATEGY_KEYS, file);
}

/** The strategies that a fork names and its parent does not, relative to the working folder. */
async function newStrategies(before: StrategyNames, after: StrategyNames): Promise<StrategyFiles> {
  const changed = STRATEGY_KEYS.filter((key) => before[key] !== after[key]);
  return await strategyTexts(after, changed, "--set");
}

async function strategyTexts(
  names: StrategyNames,
  keys: readonly StrategyKey[],
  file: string,
): Promise<StrategyFiles> {
  const strategies: Record<string, string> = {};
  for (const key of keys) {
    const name = names[key];
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
