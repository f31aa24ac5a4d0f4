/** `flotilla client`: trains beside the data, when a leader asks. */
import type { Command } from "commander";
import { join } from "node:path";
import { Edge, type LocalDataset } from "../client/edge.ts";
import { loadIdentity } from "../client/identity.ts";
import { KeptResults } from "../client/kept_results.ts";
import { PackageCache } from "../client/package_cache.ts";
import { Presence } from "../client/presence.ts";
import { type ClientConfig, clientConfigSchema } from "../config/client_config.ts";
import { systemClock } from "../core/clock.ts";
import { DataError, UsageError } from "../core/errors.ts";
import { describeDataset } from "../data/describe.ts";
import type { HardwareInfo } from "../discovery/discovery.ts";
import { readHardware } from "../discovery/hardware.ts";
import { advertisedHost } from "../discovery/local_address.ts";
import { connectClient } from "../discovery/mqtt_client.ts";
import { DEFAULT_TOPICS } from "../discovery/topics.ts";
import type { Logger } from "../log/log.ts";
import { serveEdge } from "../rpc/grpc_server.ts";
import { BlobFolder } from "../state/blob_folder.ts";
import type { EngineSettings } from "../training/protocol.ts";
import type { Trainer } from "../training/trainer.ts";
import { FolderPrograms } from "../training/folder_programs.ts";
import type { ProgramStore } from "../training/program_store.ts";
import { createWorkerTrainer } from "../training/worker_trainer.ts";
import { examples } from "./command.ts";
import { codeStamp } from "./code_stamp.ts";
import { loadConfigFile } from "./config_file.ts";
import { watchProcess } from "./resources.ts";
import {
  addServiceFlags,
  consoleLogger,
  engineSettings,
  positiveCount,
  type ServiceFlags,
  untilInterrupted,
  warnIfOpen,
} from "./service_flags.ts";
import { type SlowClients, slowClients, slowdowns } from "./slowdowns.ts";

const DEFAULT_CONFIG = "config/client_config.yaml";

interface ClientFlags extends ServiceFlags {
  readonly clientNum: number;
  readonly count: number;
  readonly slowdown?: readonly SlowClients[];
  readonly data?: string;
  readonly tempDir?: string;
  readonly advertiseHost?: string;
}

/** Adds flags, help and action. */
export function define(command: Command): void {
  addServiceFlags(command, DEFAULT_CONFIG)
    .option(
      "--client-num <n>",
      "number of this client: names it and offsets its ports",
      positiveCount,
      1,
    )
    .option("--count <n>", "clients to run in this process, for trials", positiveCount, 1)
    .option(
      "--slowdown <factors...>",
      "how many times as long training takes, slept, for trials; factor:clients for some of them",
      slowClients,
    )
    .option("--data <dir>", "folder with a folder for each dataset; {n} stands for the number")
    .option("--temp-dir <dir>", "folder of identity and caches; {n} stands for the number")
    .option("--advertise-host <host>", "address under which the server reaches this client")
    .addHelpText(
      "after",
      examples(
        "flotilla client --data data/part_1",
        "flotilla client --client-num 2 --data data/part_2",
        "flotilla client --count 20 --data data/part_{n}",
        "flotilla client --count 20 --data data/part_{n} --slowdown 4:17-20",
        "flotilla client --monitor    (writes temp_1/resources.csv)",
      ),
    )
    .action((flags: ClientFlags) => run(flags));
}

async function run(flags: ClientFlags): Promise<void> {
  const interrupted = untilInterrupted();
  const logger = consoleLogger(flags);
  const config = await loadConfigFile(clientConfigSchema, flags.config, DEFAULT_CONFIG);
  const { grpc, mqtt } = config.comm_config;
  const settings: ClientSettings = {
    config,
    host: flags.host ?? grpc.host,
    advertiseHost: flags.advertiseHost ?? grpc.advertise_host,
    broker: {
      host: flags.mqttBroker ?? mqtt.mqtt_broker,
      port: flags.mqttPort ?? mqtt.mqtt_broker_port,
    },
    hardware: await readHardware(),
    logger,
  };
  const numbers = Array.from({ length: flags.count }, (_, i) => flags.clientNum + i);
  const data = flags.data ?? config.dataset_config.datasets_dir_path;
  const temp = flags.tempDir ?? config.general_config.temp_dir_path ?? "temp_{n}";
  if (flags.count > 1 && !temp.includes("{n}")) {
    throw new UsageError(
      `Cannot run ${flags.count} clients in one temp folder "${temp}": put {n} into --temp-dir`,
    );
  }
  const factors = slowdowns(numbers, flags.slowdown ?? [], config.general_config.slowdown);
  const [stamp, ...local] = await Promise.all([
    codeStamp(),
    ...numbers.map((n) => localDatasets(data.replaceAll("{n}", `${n}`))),
  ]);
  const engine = engineSettings({
    ...config.training,
    arithmetic: flags.arithmetic ?? config.training.arithmetic,
    device: config.general_config.use_gpu ? config.training.device : "cpu",
  });
  const tempFolders = numbers.map((n) => temp.replaceAll("{n}", `${n}`));
  const programs = new FolderPrograms(`${tempFolders[0]}/steps`, stamp);
  const trainers = openTrainers(local, tempFolders, engine, programs, logger);
  warnIfOpen(logger, settings.host, "The client");
  const running: RunningClient[] = [];
  const monitor = flags.monitor ? await watchProcess(tempFolders[0]!, logger) : null;
  try {
    for (const [i, number] of numbers.entries()) {
      const trainer = trainers[i % trainers.length]!;
      running.push(
        await startClient(number, settings, {
          datasets: local[i]!,
          tempFolder: tempFolders[i]!,
          trainer,
          slowdown: factors[i]!,
        }),
      );
    }
    const signal = await interrupted;
    logger.info("stopping", `Got ${signal}, stopping; again to stop at once`);
  } finally {
    await Promise.all(running.map((client) => client.close()));
    for (const trainer of trainers) trainer.close();
    await monitor?.close();
  }
}

/** What all clients of this process share. */
interface ClientSettings {
  readonly config: ClientConfig;
  readonly host: string;
  readonly advertiseHost: string | null;
  readonly broker: { readonly host: string; readonly port: number };
  readonly hardware: HardwareInfo;
  readonly logger: Logger;
}

interface RunningClient {
  close(): Promise<void>;
}

/** What is one client's own. */
interface OwnSettings {
  readonly datasets: ReadonlyMap<string, LocalDataset>;
  readonly tempFolder: string;
  readonly trainer: Trainer;
  readonly slowdown: number;
}

async function startClient(
  number: number,
  { config, host, advertiseHost, broker, hardware, logger }: ClientSettings,
  { datasets, tempFolder, trainer, slowdown }: OwnSettings,
): Promise<RunningClient> {
  const { mqtt, grpc } = config.comm_config;
  const name = `${mqtt.client_name}_${number}`;
  const own = logger.with({ client: name });
  const id = await loadIdentity(tempFolder);
  const packages = await PackageCache.open(tempFolder, own);
  const weights = await BlobFolder.open(join(tempFolder, "weights"));
  const offset = (number - 1) * 2;
  let presence: Presence | null = null;
  const server = await serveEdge({
    host,
    syncPort: grpc.sync_port + offset,
    asyncPort: grpc.async_port + offset,
    handlers: new Edge({
      name,
      datasets,
      packages,
      weights,
      heldWeights: await weights.ids(),
      results: await KeptResults.open(tempFolder, own),
      trainer,
      slowdown,
      logger: own,
      onPackages: () => presence?.refresh(),
    }),
    logger: own,
  });
  const advertised = advertiseHost ?? advertisedHost(host);
  const endpoint = (bound: string) => `${advertised}:${bound.slice(bound.lastIndexOf(":") + 1)}`;
  const descriptions = [...datasets].map(([key, { description }]) => [key, description] as const);
  const discovery = await connectClient({
    ...broker,
    clientId: id,
    logger: own,
    topics: { ...DEFAULT_TOPICS, leaderAdvert: mqtt.mqtt_server_topic },
  });
  presence = new Presence(discovery, systemClock, own, () => ({
    type: mqtt.type,
    grpc_ep: endpoint(server.sync),
    grpc_async_ep: endpoint(server.async),
    cluster_id: 0,
    hw_info: hardware,
    datasets: Object.fromEntries(descriptions),
    models: packages.hashes(),
    benchmark_info: {},
    name,
  }));
  own.info(
    "client_started",
    `${name} listens on ${endpoint(server.sync)} and ${endpoint(server.async)} with ` +
      [...datasets].map(([key, { description }]) => `${key} (${description.metadata.num_items})`)
        .join(", ") +
      (slowdown === 1 ? "" : `, ${slowdown} times as slow as this machine`),
  );
  return {
    async close() {
      // In this order: the leader asks a client that says goodbye whether it is gone.
      await server.close();
      await presence.close();
      weights.close();
    },
  };
}

/** The datasets in a folder, described. @throws {DataError} there is none, or one is broken */
async function localDatasets(root: string): Promise<Map<string, LocalDataset>> {
  const found = new Map<string, LocalDataset>();
  for (const name of await foldersIn(root)) {
    const folder = join(root, name);
    if (!await isFile(join(folder, "train_dataset_config.yaml"))) continue;
    found.set(name, { folder, description: await describeDataset(folder) });
  }
  if (found.size > 0) return found;
  throw new DataError(
    `Cannot find a dataset in ${root}: each is a folder there with a train_dataset_config.yaml; ` +
      "name another place with --data",
  );
}

async function foldersIn(root: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(root));
    return entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => name).sort();
  } catch {
    throw new DataError(`Cannot read the folder of datasets ${root}: name another with --data`);
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** As many trainers as there are cores, or clients if they are fewer. */
function openTrainers(
  local: readonly Map<string, LocalDataset>[],
  tempFolders: readonly string[],
  engine: EngineSettings,
  programs: ProgramStore,
  logger: Logger,
): Trainer[] {
  const folders = local.flatMap((datasets) => [...datasets.values()].map(({ folder }) => folder));
  const { threads = 1 } = engine;
  const cores = navigator.hardwareConcurrency;
  const count = Math.min(local.length, cores);
  const told = new Set<string>();
  const options = {
    // Trainers at work at the same time share the cores.
    engine: {
      ...engine,
      threads: threads === "auto" ? Math.max(1, Math.floor(cores / count)) : threads,
    },
    // A client of its own gets a worker that may read one dataset; many share workers.
    sharedFolders: local.length === 1 ? [] : [...new Set(folders)],
    programs,
    onNotice(text: string) {
      if (!told.has(text)) logger.info("trainer", text);
      told.add(text);
    },
  };
  return tempFolders.slice(0, count)
    .map((scratchFolder) => createWorkerTrainer({ ...options, scratchFolder }));
}
