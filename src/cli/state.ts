/** `flotilla state export|import`: moves what a server keeps between memory, SQLite and Redis. */
import { type Command, Option } from "commander";
import { Archive } from "../archive/archive.ts";
import { exportState, importState, type StateSize } from "../archive/state_archive.ts";
import { serverConfigSchema } from "../config/server_config.ts";
import { systemClock } from "../core/clock.ts";
import { FileAccessError } from "../core/errors.ts";
import { versionInfo } from "../core/version.ts";
import { writeFileAtomically } from "../state/atomic_file.ts";
import { onFile } from "../state/file_access.ts";
import { Leadership } from "../state/leadership.ts";
import { openStore } from "../state/open.ts";
import { ownIdentity } from "../state/process_identity.ts";
import type { Store } from "../state/store.ts";
import { examples } from "./command.ts";
import { loadConfigFile } from "./config_file.ts";
import { endpointOption, jsonOption } from "./flags.ts";
import { LeaderApi } from "./leader_api.ts";
import { standardOutput } from "./output.ts";
import { bytesText } from "./quantities.ts";
import { DEFAULT_SERVER_CONFIG, storeOptions } from "./store_options.ts";

interface StateFlags {
  readonly federatedServerEndpoint: string;
  readonly config?: string;
  readonly state?: "memory" | "sqlite" | "redis";
  readonly stateDir?: string;
  readonly stateHost?: string;
  readonly statePort?: number;
  readonly json?: boolean;
}

const EXAMPLES = examples(
  "flotilla state export leader.flotilla --state sqlite --state-dir state",
  "flotilla state import leader.flotilla --state redis --state-host localhost --state-port 6379",
  "flotilla state export leader.flotilla --state memory --federated-server-endpoint lab:12345",
);

const WHAT = `
Stop the server first; with --state memory, which lives in a server that runs, it is that server's
state. An import wants an empty store: nothing is overwritten. Runs that were open go on when a server
starts on the store.
`;

/** Adds the commands `export` and `import`. */
export function define(command: Command): void {
  command.addHelpText("after", WHAT + EXAMPLES);
  place(command.command("export"))
    .description("write all runs, with their weights and models, to one file")
    .argument("<file>", "file to write; it must not exist")
    .action(exportTo);
  place(command.command("import"))
    .description("put what an export wrote into an empty store")
    .argument("<file>", "file that flotilla state export wrote")
    .action(importFrom);
}

function place(command: Command): Command {
  return command
    .option(
      "--config <file>",
      `server_config.yaml that says where (default: ${DEFAULT_SERVER_CONFIG})`,
    )
    .addOption(
      new Option("--state <kind>", "kind of the store").choices(["memory", "sqlite", "redis"]),
    )
    .option("--state-dir <dir>", "folder of the SQLite state")
    .option("--state-host <host>", "host of Redis")
    .option("--state-port <port>", "port of Redis", Number)
    .addOption(endpointOption())
    .addOption(jsonOption())
    .addHelpText("after", WHAT + EXAMPLES);
}

async function exportTo(file: string, flags: StateFlags): Promise<void> {
  if (await exists(file)) {
    throw new FileAccessError(`Cannot export to "${file}" as it exists: name a new file`);
  }
  const store = await openPlace(flags);
  if (store === null) {
    const archive = await new LeaderApi(flags.federatedServerEndpoint).exportState();
    await writeFileAtomically(file, archive);
  } else {
    try {
      const { flotilla, deno, commit } = versionInfo();
      await writeFileAtomically(file, (await exportState(store, { flotilla, deno, commit })).bytes);
    } finally {
      await store.close();
    }
  }
  using archive = await Archive.open(file, "state");
  const { sessions, blobs, blobBytes } = archive.about as unknown as StateSize;
  report("exported", { sessions, blobs, blobBytes }, flags);
}

async function importFrom(file: string, flags: StateFlags): Promise<void> {
  using archive = await Archive.open(file, "state");
  const store = await openPlace(flags);
  if (store === null) {
    const body = await onFile("read", file, () => Deno.open(file));
    const { size } = await onFile("read", file, () => body.stat());
    const { sessions, blobs, blob_bytes } = await new LeaderApi(flags.federatedServerEndpoint)
      .importState(body.readable, size);
    return report("imported", { sessions, blobs, blobBytes: blob_bytes }, flags);
  }
  try {
    report("imported", await whileLeading(store, () => importState(archive, store)), flags);
  } finally {
    await store.close();
  }
}

/** Does `work` while no server can lead the store. @throws {StoreTakenError} one does */
async function whileLeading<T>(store: Store, work: () => Promise<T>): Promise<T> {
  const claim = { process: ownIdentity(), clock: systemClock };
  const leadership = await Leadership.begin(store.leader, claim, store.description);
  try {
    return await work();
  } finally {
    await leadership.leave();
  }
}

/** The store that the flags and the file name; null for the one in a server that runs. */
async function openPlace(flags: StateFlags): Promise<Store | null> {
  const config = await loadConfigFile(serverConfigSchema, flags.config, DEFAULT_SERVER_CONFIG);
  const { state } = config;
  const options = storeOptions({
    ...config,
    state: {
      ...state,
      state_location: flags.state ?? state.state_location,
      state_dir_path: flags.stateDir ?? state.state_dir_path,
      state_hostname: flags.stateHost ?? state.state_hostname,
      state_port: flags.statePort ?? state.state_port,
    },
  });
  return options.kind === "memory" ? null : await openStore(options);
}

function report(
  verb: string,
  { sessions, blobs, blobBytes }: StateSize,
  { json }: StateFlags,
): void {
  standardOutput.write(
    json
      ? `${JSON.stringify({ sessions, blobs, blob_bytes: blobBytes })}\n`
      : `${verb} ${sessions} runs with ${blobs} files of weights and models, ${
        bytesText(blobBytes)
      }\n`,
  );
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
