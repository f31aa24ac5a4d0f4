/**
 * Runs the services of a development machine in the foreground until Ctrl-C, from the installed
 * programs: `services.ts [broker|redis] [--broker-port 1883] [--redis-port 6379]`, both by default.
 * They listen on loopback only, and nothing that they hold is kept.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  installHint,
  MOSQUITTO,
  obtainProgram,
  REDIS,
  type SystemProgram,
} from "./installed_program.ts";
import type { LabelColour } from "./prefixed_output.ts";
import { type Member, ProcessGroup } from "./process_group.ts";

/** A service: its program, and the arguments that make it listen on `port` with files in `folder`. */
interface Service {
  readonly program: SystemProgram;
  readonly colour: LabelColour;
  readonly port: number;
  arguments(port: number, folder: string): Promise<string[]>;
}

const SERVICES: Readonly<Record<string, Service>> = {
  broker: {
    program: MOSQUITTO,
    colour: "cyan",
    port: 1883,
    async arguments(port, folder) {
      const config = join(folder, "mosquitto.conf");
      await Deno.writeTextFile(config, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
      return ["-c", config];
    },
  },
  redis: {
    program: REDIS,
    colour: "yellow",
    port: 6379,
    arguments(port, folder) {
      const memoryOnly = ["--save", "", "--appendonly", "no"];
      const place = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder];
      return Promise.resolve([...place, ...memoryOnly]);
    },
  },
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    options: { "broker-port": { type: "string" }, "redis-port": { type: "string" } },
    allowPositionals: true,
  });
  const names = positionals.length === 0 ? Object.keys(SERVICES) : positionals;
  const unknown = names.find((name) => !Object.hasOwn(SERVICES, name));
  if (unknown !== undefined) {
    console.error(`Cannot run "${unknown}": known are ${Object.keys(SERVICES).join(", ")}`);
    return 2;
  }
  const paths = new Map<string, string>();
  for (const name of names) {
    const { program } = SERVICES[name]!;
    const path = await obtainProgram(program);
    if (path === null) {
      console.error(installHint(program));
      return 1;
    }
    paths.set(name, path);
  }
  const folder = await Deno.makeTempDir({ prefix: "flotilla_services_" });
  try {
    const ports = { broker: values["broker-port"], redis: values["redis-port"] };
    return await runAll(paths, ports, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs until we are told to stop (0) or one of them ends by itself (1). */
async function runAll(
  paths: ReadonlyMap<string, string>,
  ports: Readonly<Record<string, string | undefined>>,
  folder: string,
): Promise<number> {
  const members: Member[] = [];
  for (const [name, program] of paths) {
    const service = SERVICES[name]!;
    const port = Number(ports[name] ?? service.port);
    members.push({
      name,
      colour: service.colour,
      program,
      args: await service.arguments(port, folder),
      greeting: `${service.program.name} on 127.0.0.1:${port}, Ctrl-C ends it`,
      hint: `does another process hold port ${port}?`,
    });
  }
  await using group = new ProcessGroup(members);
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      stopping = true;
      void group.stop();
    });
  }
  await group.firstEnd();
  return stopping ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
