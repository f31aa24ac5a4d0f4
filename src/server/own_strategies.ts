/** The strategies of a run that are the user's own code: kept with the run, opened when it runs. */
import type { SessionConfig } from "../config/session_config.ts";
import { isStrategyFile, type StrategyFiles } from "../config/strategy_files.ts";
import { ConfigError, SessionFailedError } from "../core/errors.ts";
import type {
  CustomStrategy,
  OpenCustomStrategy,
  StrategyKind,
} from "../custom/custom_strategy.ts";

const KINDS: readonly StrategyKind[] = ["aggregator", "client_selection"];

/** The opened strategies of one run, by what they decide. */
export type OwnStrategies = Readonly<Partial<Record<StrategyKind, CustomStrategy>>>;

/** The files that a config names, of those that were sent. */
export function neededFiles({ session_config: session }: SessionConfig, sent: StrategyFiles) {
  const names = KINDS.map((kind) => session[kind]).filter(isStrategyFile);
  return Object.fromEntries(names.map((name) => {
    if (!Object.hasOwn(sent, name)) {
      const kind = KINDS.find((one) => session[one] === name)!;
      throw new ConfigError(
        `names the file "${name}", whose text did not come with the config: submit the run with ` +
          `"flotilla session", or send it in "strategies"`,
        { file: "request body", key: `session_config.${kind}` },
      );
    }
    return [name, sent[name]!];
  }));
}

/**
 * Opens the run's own strategies; none runs before its first call.
 *
 * @param files as {@link neededFiles} gave them
 */
export function openOwn(
  { session_config: session }: SessionConfig,
  files: StrategyFiles,
  open: OpenCustomStrategy,
): OwnStrategies {
  const own = KINDS.filter((kind) => isStrategyFile(session[kind]));
  return Object.fromEntries(own.map((kind) => [kind, open(session[kind], files[session[kind]]!)]));
}

/** Loads the code of each. @throws {ConfigError} it cannot be loaded, or is no such strategy */
export async function checkOwn(own: OwnStrategies): Promise<void> {
  for (const kind of KINDS) await own[kind]?.check(kind);
}

/** Ends their workers. */
export function closeOwn(own: OwnStrategies): void {
  for (const kind of KINDS) own[kind]?.close();
}

/** Files as the bytes that the store keeps. */
export function packFiles(files: StrategyFiles): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(files));
}

/** Reads what {@link packFiles} wrote. @throws {SessionFailedError} the bytes are something else */
export function unpackFiles(bytes: Uint8Array): StrategyFiles {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new SessionFailedError("Cannot read the stored strategies", { cause });
  }
}
