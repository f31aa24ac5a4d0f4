/** The strategies of a run that are the user's own code: kept with the run, opened when it runs. */
import type { SessionConfig } from "../config/session_config.ts";
import { isStrategyFile, type StrategyFiles } from "../config/strategy_files.ts";
import { ConfigError, SessionFailedError } from "../core/errors.ts";
import type {
  CustomStrategy,
  OpenCustomStrategy,
  StrategyKind,
} from "../custom/custom_strategy.ts";
import type { SessionState } from "../session/state.ts";
import type { Blobs } from "../state/store.ts";

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

/** None runs before its first call. */
function openOwn(
  { session_config: session }: SessionConfig,
  files: StrategyFiles,
  open: OpenCustomStrategy,
): OwnStrategies {
  const own = KINDS.filter((kind) => isStrategyFile(session[kind]));
  return Object.fromEntries(own.map((kind) => [kind, open(session[kind], files[session[kind]]!)]));
}

/**
 * Loads a run's own strategies once, so that what is wrong with them is known at once.
 *
 * @throws {ConfigError} one cannot be loaded, or is no such strategy
 */
export async function checkFiles(
  config: SessionConfig,
  files: StrategyFiles,
  open: OpenCustomStrategy,
): Promise<void> {
  closeOwn(await openChecked(config, files, open));
}

/**
 * Opens a run's own strategies from where they are kept with it.
 *
 * @throws {SessionFailedError} their code is gone
 * @throws {ConfigError} as {@link checkFiles}
 */
export async function openStored(
  state: SessionState,
  blobs: Blobs,
  open: OpenCustomStrategy,
): Promise<OwnStrategies> {
  return await openChecked(state.config, await storedFiles(state, blobs), open);
}

/** Code of a run's own strategies. @throws {SessionFailedError} it is gone */
export async function storedFiles(
  { id, strategies }: SessionState,
  blobs: Blobs,
): Promise<StrategyFiles> {
  if (strategies === null) return {};
  const bytes = await blobs.get(strategies);
  if (bytes !== null) return unpackFiles(bytes);
  throw new SessionFailedError(`Cannot run ${id} as the code of its strategies is gone`);
}

async function openChecked(
  config: SessionConfig,
  files: StrategyFiles,
  open: OpenCustomStrategy,
): Promise<OwnStrategies> {
  const own = openOwn(config, files, open);
  try {
    for (const kind of KINDS) await own[kind]?.check(kind);
    return own;
  } catch (error) {
    closeOwn(own);
    throw error;
  }
}

/** Ends their workers. */
export function closeOwn(own: OwnStrategies): void {
  for (const kind of KINDS) own[kind]?.close();
}

/** Files as the bytes that the store keeps. */
export function packFiles(files: StrategyFiles): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(files));
}

/** @throws {SessionFailedError} the bytes are something else */
function unpackFiles(bytes: Uint8Array): StrategyFiles {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new SessionFailedError("Cannot read the stored strategies", { cause });
  }
}
