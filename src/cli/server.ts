/** `flotilla server`: the leader, with everything it needs in one process. */
import { type Command, Option } from "commander";
import { join } from "node:path";
import { noticeLine, sessionNoticesFrom } from "../config/notices.ts";
import { sessionConfigFrom } from "../config/parse_session.ts";
import { type ServerConfig, serverConfigSchema } from "../config/server_config.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { versionInfo } from "../core/version.ts";
import { chooseBroker } from "../discovery/choose_broker.ts";
import type { LeaderAdvert, LeaderDiscovery } from "../discovery/discovery.ts";
import { readHardware } from "../discovery/hardware.ts";
import { silenceLimitMs } from "../discovery/heartbeat_rule.ts";
import { connectLeader } from "../discovery/mqtt_leader.ts";
import { DEFAULT_TOPICS } from "../discovery/topics.ts";
import type { Logger } from "../log/log.ts";
import type { Transport } from "../rpc/transport.ts";
import { CheckpointFolder } from "../server/checkpoint_folder.ts";
import { Directory } from "../server/directory.ts";
import { findPackage } from "../server/model_library.ts";
import { createRest, serveRest } from "../server/rest.ts";
import { RunsFolder } from "../server/runs_folder.ts";
import { Sessions } from "../server/sessions.ts";
import { openStore } from "../state/open.ts";
import { Leadership } from "../state/leadership.ts";
import { ownIdentity } from "../state/process_identity.ts";
import type { Store } from "../state/store.ts";
import { tfjsModelFiles, WEIGHTS_FILE } from "../training/tfjs_model_file.ts";
import { openStrategy } from "../custom/open_strategy.ts";
import { MemoryPrograms } from "../training/program_store.ts";
import { createWorkerTrainer } from "../training/worker_trainer.ts";
import { builtInModels } from "./built_in_models.ts";
import { examples } from "./command.ts";
import { loadConfigFile } from "./config_file.ts";
import { samplesIn, watchRuns } from "./resources.ts";
import { sessionRegistries } from "./session_registries.ts";
import {
  addServiceFlags,
  consoleLogger,
  engineSettings,
  portNumber,
  type ServiceFlags,
  untilInterrupted,
  warnIfOpen,
} from "./service_flags.ts";
import { DEFAULT_SERVER_CONFIG, storeOptions } from "./store_options.ts";

/** How the leader computes, for `results.json`. */
const ARITHMETIC = { aggregation: "float64 sums in order of client name, rounded to float32 once" };

interface ServerFlags extends ServiceFlags {
  readonly restPort?: number;
  readonly state?: ServerConfig["state"]["state_location"];
  readonly stateDir?: string;
  readonly data?: string;
  readonly runsDir?: string;
}

/** Adds flags, help and action. */
export function define(command: Command): void {
  addServiceFlags(command, DEFAULT_SERVER_CONFIG)
    .option("--rest-port <port>", "port of the REST interface", portNumber)
    .addOption(
      new Option("--state <kind>", "where runs are kept").choices([
        "memory",
        "inmemory",
        "sqlite",
        "redis",
      ]),
    )
    .option("--state-dir <dir>", "folder of the SQLite state")
    .option("--data <dir>", "folder with a folder for each validation dataset")
    .option("--runs-dir <dir>", "folder of results")
    .addHelpText(
      "after",
      examples(
        "flotilla server",
        "flotilla server --data data/quickstart/leader",
        "flotilla server --state memory --rest-port 8080",
        "flotilla server --monitor    (writes runs/<session id>/resources.csv)",
      ),
    )
    .action((flags: ServerFlags) => serve(flags));
}

async function serve(flags: ServerFlags): Promise<void> {
  const interrupted = untilInterrupted();
  const logger = consoleLogger(flags);
  const config = withFlags(
    await loadConfigFile(serverConfigSchema, flags.config, DEFAULT_SERVER_CONFIG),
    flags,
  );
  const leader = await startLeader(config, logger, flags.monitor ?? false);
  const deposed = Promise.withResolvers<null>();
  leader.deposed.addEventListener("abort", () => deposed.resolve(null));
  if (leader.deposed.aborted) deposed.resolve(null);
  const signal = await Promise.race([interrupted, deposed.promise]);
  if (signal !== null) logger.info("stopping", `Got ${signal}, stopping; again to stop at once`);
  await leader.close();
  leader.deposed.throwIfAborted();
}

/** Takes the lead of the store. @throws {StoreTakenError} another leader is alive */
async function leading(store: Store, clock: Clock): Promise<Leadership> {
  return await Leadership.begin(
    store.leader,
    { process: ownIdentity(), clock },
    store.description,
  );
}

/** Flags win over the file. */
function withFlags(config: ServerConfig, flags: ServerFlags): ServerConfig {
  const { mqtt, grpc, restful } = config.comm_config;
  return {
    ...config,
    comm_config: {
      mqtt: {
        ...mqtt,
        mqtt_broker: flags.mqttBroker ?? mqtt.mqtt_broker,
        mqtt_broker_port: flags.mqttPort ?? mqtt.mqtt_broker_port,
      },
      grpc,
      restful: {
        rest_hostname: flags.host ?? restful.rest_hostname,
        rest_port: flags.restPort ?? restful.rest_port,
      },
    },
    state: {
      ...config.state,
      state_location: (flags.state as string) === "inmemory"
        ? "memory"
        : flags.state ?? config.state.state_location,
      state_dir_path: flags.stateDir ?? config.state.state_dir_path,
    },
    training: { ...config.training, arithmetic: flags.arithmetic ?? config.training.arithmetic },
    validation_data_dir_path: flags.data ?? config.validation_data_dir_path,
    runs_dir_path: flags.runsDir ?? config.runs_dir_path,
  };
}

/** A leader that serves. */
interface Leader {
  /** Aborts, with the reason, when it must end as it leads no more. */
  readonly deposed: AbortSignal;
  close(): Promise<void>;
}

async function startLeader(
  config: ServerConfig,
  logger: Logger,
  monitored: boolean,
): Promise<Leader> {
  const clock = systemClock;
  const { mqtt, grpc, restful } = config.comm_config;
  const store = await openStore(storeOptions(config));
  const leadership = await leading(store, clock).catch(async (error) => {
    await store.close();
    throw error;
  });
  logger.info("state", `State is kept in ${store.description}`);

  let transport: Transport | null = null;
  let discovery: LeaderDiscovery | null = null;
  let connected = false;
  const hardware = await readHardware();
  const advertise = () => discovery?.advertise(advertOf(config, hardware));
  const silentMs = silenceLimitMs({
    intervalS: mqtt.mqtt_heartbeat_interval_s,
    maxMisses: mqtt.max_heartbeat_miss_threshold,
  });
  const directory = new Directory({
    clock,
    logger,
    // No client is known before discovery runs, and that starts after the transport.
    connect: (client, endpoints) => transport!.connect(client, endpoints),
    isSilent: (ms) => ms >= silentMs,
    readvertise: advertise,
    heard: (client) => sessions.heard(client),
  });
  // Runs of the same model need not compile it again.
  const programs = new MemoryPrograms();
  const sessions = new Sessions({
    store,
    directory,
    clock,
    logger,
    results: new RunsFolder({
      folder: config.runs_dir_path,
      journal: store.journal,
      context: { arithmetic: ARITHMETIC, versions: versions() },
      modelFiles(topology, weights) {
        const model = tfjsModelFiles(topology, weights);
        const json = JSON.stringify(model.json);
        return { files: { "model.json": json, [WEIGHTS_FILE]: model.weights } };
      },
      ...(monitored && { samplesIn }),
    }),
    validationSets: validationSets(config.validation_data_dir_path),
    findPackage: (session) => findPackage(session, [config.models_dir_path, builtInModels()]),
    openTrainer: () =>
      createWorkerTrainer({
        engine: engineSettings(config.training),
        scratchFolder: config.temp_dir_path,
        programs,
        onNotice: (text) => logger.info("trainer", text),
      }),
    openStrategy: (file, code) => openStrategy(file, code),
    newId: () => crypto.randomUUID(),
    drawSeed: () => crypto.getRandomValues(new Uint32Array(1))[0]!,
    checkpoints: new CheckpointFolder(config.checkpoint_dir_path, versionInfo().flotilla),
    about: versions(),
    longestCallMs: grpc.timeout_s * 1000,
    returnMs: silentMs,
  });
  await sessions.load();
  const rest = serveRest(
    createRest(sessions, {
      parseConfig: (given) => {
        const parsed = sessionConfigFrom(given, "request body", sessionRegistries);
        for (const notice of sessionNoticesFrom(given, "request body", sessionRegistries)) {
          logger.info("rest", `Note: ${noticeLine(notice)}`);
        }
        return parsed;
      },
      log: logger,
      notReady: () => connected ? null : "the MQTT broker",
    }),
    { hostname: restful.rest_hostname, port: restful.rest_port },
  );
  logger.info("rest", `REST listens on http://${rest.hostname}:${rest.port}`);
  warnIfOpen(logger, restful.rest_hostname, "The server");

  const broker = await chooseBroker({
    broker: mqtt.mqtt_broker,
    port: mqtt.mqtt_broker_port,
    bindHost: restful.rest_hostname,
  });
  logger.info("broker", broker.description);
  const { createGrpcTransport } = await import("../rpc/grpc_transport.ts");
  transport = createGrpcTransport({
    frameBytes: grpc.chunk_size_bytes,
    maxUpdateBytes: grpc.max_message_length,
  });
  discovery = await connectLeader({
    host: broker.host,
    port: broker.port,
    logger,
    topics: {
      ...DEFAULT_TOPICS,
      leaderAdvert: mqtt.mqtt_server_topic,
      clientAdvert: mqtt.mqtt_client_topic,
    },
  });
  discovery.onMessage((message) => directory.hear(message));
  discovery.onConnection((now) => {
    connected = now;
    // Heartbeats that the broker could not bring are not the clients' silence.
    if (now) directory.forgiveSilence();
  });
  advertise();
  const silenceCheck = setInterval(() => {
    if (connected) void directory.checkSilence();
  }, mqtt.mqtt_heartbeat_interval_s * 1000);
  const monitor = monitored ? await watchRuns(sessions, config.runs_dir_path, logger) : null;
  await sessions.resume();
  logger.info("ready", "Ready: start clients with flotilla client, runs with flotilla session");

  return {
    deposed: leadership.deposed,
    async close() {
      clearInterval(silenceCheck);
      await sessions.close();
      await monitor?.close();
      await rest.close();
      directory.close();
      await discovery.close();
      transport.close();
      await broker.close();
      await leadership.leave();
      await store.close();
    },
  };
}

function versions(): Record<string, string> {
  const { flotilla, deno, commit } = versionInfo();
  return { flotilla, deno, commit };
}

function advertOf(
  { comm_config: { mqtt } }: ServerConfig,
  hardware: LeaderAdvert["hw_info"],
): LeaderAdvert {
  return {
    type: mqtt.type,
    timestamp: systemClock.epochMs() / 1000,
    grpc_ep: null,
    mqtt_client_topic: mqtt.mqtt_client_topic,
    cluster_id: null,
    heartbeat_interval: mqtt.mqtt_heartbeat_interval_s,
    hw_info: hardware,
  };
}

function validationSets(root: string) {
  return {
    root,
    async find(name: string): Promise<string | null> {
      const folder = join(root, name);
      try {
        return (await Deno.stat(folder)).isDirectory ? folder : null;
      } catch {
        return null;
      }
    },
  };
}
