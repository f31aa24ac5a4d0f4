/**
 * A federation under supervision: a leader and three clients as processes that are started again
 * when they die, a broker and a Redis that can go away, and relays between them that misbehave.
 */
import { join } from "node:path";
import { stringify } from "yaml";
import { makeDemoData } from "../../tools/demo_data.ts";
import { Program } from "../fixtures/federation.ts";
import { HOUR_MS, setClock, WITH_JUMPING_CLOCK } from "../fixtures/jump_clock.ts";
import { freePort } from "../fixtures/free_port.ts";
import { type Mosquitto, startMosquitto } from "../fixtures/mosquitto.ts";
import { RedisServer } from "../fixtures/redis.ts";
import { type Disturbance, fatesOf, type ProcessName, type Surroundings } from "./plan.ts";
import { type ChaosRun, CLIENTS, sessionConfig } from "./runs.ts";
import { type LifeListener, Supervised } from "./supervised.ts";
import { TcpProxy } from "./tcp_proxy.ts";

const ITEMS = 200;
/** Clients are reached under this address, where the relays listen; they themselves are on .1. */
const RELAYED_HOST = "127.0.0.2";
const SLOW_BYTES_PER_SECOND = 500_000;

/** Where the leader keeps its state; with `memory-client-only` it never dies. */
export type ChaosStore = "sqlite" | "redis" | "memory-client-only";

/** What stands beside the leader. */
export interface RigOptions {
  readonly store: ChaosStore;
  /** An embedded broker dies and comes back with the leader. */
  readonly broker: "mosquitto" | "embedded";
  readonly run: ChaosRun;
  readonly seed: number;
}

/** A running federation. */
export class Rig implements AsyncDisposable {
  /** The leader first. */
  readonly processes = new Map<ProcessName, Supervised>();
  readonly #relays = new Map<string, TcpProxy>();
  #mosquitto: Mosquitto | null = null;
  #brokerPort = 0;
  #redis: RedisServer | null = null;
  #restPort = 0;
  #edgePort = 0;
  keepsFolder = false;

  private constructor(readonly folder: string, readonly options: RigOptions) {}

  /** Starts all and waits until the leader knows its clients. */
  static async start(options: RigOptions, listener: LifeListener): Promise<Rig> {
    const rig = new Rig(await Deno.makeTempDir({ prefix: "flotilla_chaos_" }), options);
    try {
      await rig.#startServices();
      for (
        const name of [
          "leader",
          ...Array.from({ length: CLIENTS }, (_, i) => clientName(i + 1)),
        ]
      ) {
        const supervised = new Supervised({
          name,
          launch: (env) => name === "leader" ? rig.#leader(env) : rig.#client(numberOf(name), env),
          ready: name === "leader" ? /Ready: start clients/ : /Found the leader/,
          fates: fatesOf(name, options.seed),
          listener,
        });
        rig.processes.set(name, supervised);
      }
      await rig.allReady();
      return rig;
    } catch (error) {
      await rig[Symbol.asyncDispose]();
      throw error;
    }
  }

  get endpoint(): string {
    return `localhost:${this.#restPort}`;
  }

  get redisPort(): number | null {
    return this.#redis?.port ?? null;
  }

  /** What a plan can disturb. */
  get surroundings(): Surroundings {
    return {
      processes: [...this.processes.keys()],
      services: [
        ...(this.#mosquitto === null ? [] : ["broker"] as const),
        ...(this.#redis === null ? [] : ["redis"] as const),
      ],
      clocks: ["server", "client"],
      links: [...this.#relays.keys()],
    };
  }

  /** Runs a command that talks to the leader. */
  ask(...args: string[]): Program {
    return new Program([...args, "--federated-server-endpoint", this.endpoint], this.folder);
  }

  /** Submits the run of the proof and follows it. */
  async session(): Promise<Program> {
    const file = join(this.folder, "session.yaml");
    await Deno.writeTextFile(file, stringify(sessionConfig(this.options.run)));
    return this.ask("session", file, "--json");
  }

  async allReady(): Promise<void> {
    await Promise.all([...this.processes.values()].map((process) => process.ready()));
  }

  /** Makes a disturbance happen; resolves when it is over. */
  async disturb(disturbance: Disturbance): Promise<void> {
    if (disturbance.kind === "clock") {
      return await setClock(this.folder, disturbance.whose, disturbance.hours * HOUR_MS);
    }
    const { kind, forMs } = disturbance;
    if (kind === "pause") {
      const { program } = this.processes.get(disturbance.process)!;
      program.kill("SIGSTOP");
      await pause(forMs);
      program.kill("SIGCONT");
      return;
    }
    if (kind === "outage") {
      const service = disturbance.service === "broker" ? this.#mosquitto! : this.#redis!;
      await service.stop();
      await pause(forMs);
      await service.start();
      return;
    }
    const relay = this.#relays.get(disturbance.link)!;
    if (kind === "cut") relay.cut();
    else if (kind === "reset") relay.reset();
    else if (kind === "stall") await relay.stall(forMs);
    else await relay.throttle(SLOW_BYTES_PER_SECOND, forMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const processes = [...this.processes.values()].reverse();
    await Promise.all(processes.map((process) => process.close()));
    await Promise.all([...this.#relays.values()].map((relay) => relay[Symbol.asyncDispose]()));
    await this.#mosquitto?.remove();
    await this.#redis?.[Symbol.asyncDispose]();
    if (!this.keepsFolder) await Deno.remove(this.folder, { recursive: true });
  }

  async #startServices(): Promise<void> {
    await makeDemoData(
      { clients: CLIENTS, items: ITEMS, out: join(this.folder, "data"), seed: 1 },
      () => {},
    );
    if (this.options.broker === "mosquitto") this.#mosquitto = await startMosquitto();
    this.#brokerPort = this.#mosquitto?.port ?? await freePort();
    if (this.options.store === "redis") this.#redis = await RedisServer.start();
    this.#restPort = await freePort();
    this.#edgePort = await freeEdgePorts();
    if (this.#mosquitto !== null) await this.#relay("leader to broker", { to: this.#brokerPort });
    await this.#relay("clients to broker", { to: this.#brokerPort });
    if (this.#redis !== null) await this.#relay("leader to redis", { to: this.#redis.port });
    for (let n = 1; n <= CLIENTS; n++) {
      for (const [kind, offset] of [["sync", 0], ["async", 1]] as const) {
        const port = this.#edgePort + (n - 1) * 2 + offset;
        await this.#relay(`client ${n} ${kind}`, { host: RELAYED_HOST, port, to: port });
      }
    }
  }

  async #relay(name: string, options: Parameters<typeof TcpProxy.start>[0]): Promise<void> {
    this.#relays.set(name, await TcpProxy.start(options));
  }

  #leader(env: Record<string, string>): Program {
    const config = join(this.folder, "server_config.yaml");
    const relayed = (name: string) => this.#relays.get(name)!.port;
    const { store } = this.options;
    const state = store === "redis"
      ? {
        state_location: "redis",
        state_hostname: "127.0.0.1",
        state_port: relayed("leader to redis"),
      }
      : { state_location: store === "sqlite" ? "sqlite" : "memory" };
    Deno.writeTextFileSync(
      config,
      stringify({
        comm_config: {
          mqtt: {
            ...(this.#mosquitto === null
              ? { mqtt_broker: "embedded", mqtt_broker_port: this.#brokerPort }
              : { mqtt_broker: "127.0.0.1", mqtt_broker_port: relayed("leader to broker") }),
            mqtt_heartbeat_interval_s: 1,
            // A lost client has a minute to come back: a loaded machine takes its time.
            max_heartbeat_miss_threshold: 60,
          },
          restful: { rest_port: this.#restPort },
        },
        state,
        validation_data_dir_path: join(this.folder, "data", "leader"),
      }),
    );
    return this.#run(["server", "--config", config], env);
  }

  #client(number: number, env: Record<string, string>): Program {
    const config = join(this.folder, `client_${number}.yaml`);
    Deno.writeTextFileSync(
      config,
      stringify({
        comm_config: {
          mqtt: {
            mqtt_broker: "127.0.0.1",
            mqtt_broker_port: this.#relays.get("clients to broker")!.port,
          },
          grpc: {
            sync_port: this.#edgePort,
            async_port: this.#edgePort + 1,
            advertise_host: RELAYED_HOST,
          },
        },
      }),
    );
    const data = join(this.folder, "data", `part_${number}`);
    return this.#run(
      ["client", "--config", config, "--client-num", `${number}`, "--data", data],
      env,
    );
  }

  #run(args: readonly string[], env: Record<string, string>): Program {
    const words = [...args, "--log-format", "json"];
    return new Program(words, this.folder, env, WITH_JUMPING_CLOCK);
  }
}

export function clientName(number: number): ProcessName {
  return `client ${number}`;
}

function numberOf(name: ProcessName): number {
  return Number(name.slice("client ".length));
}

/** The first of a block of ports, free on both addresses, below those the system hands out. */
async function freeEdgePorts(): Promise<number> {
  for (;;) {
    const first = 10_000 + 2 * Math.floor(Math.random() * 10_000);
    try {
      for (let port = first; port < first + 2 * CLIENTS; port++) {
        for (const hostname of ["127.0.0.1", RELAYED_HOST]) Deno.listen({ hostname, port }).close();
      }
      return first;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      await pause(1);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
