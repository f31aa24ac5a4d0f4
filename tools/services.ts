/**
 * Runs the services of a development machine in the foreground until Ctrl-C, from the installed
 * programs: `services.ts [broker|redis] [--broker-port 1883] [--redis-port 6379]`, both by default.
 * They listen on loopback only, and nothing that they hold is kept.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import {
  installHint,
  MOSQUITTO,
  obtainProgram,
  REDIS,
  type SystemProgram,
} from "./installed_program.ts";

/** A service: its program, and the arguments that make it listen on `port` with files in `folder`. */
interface Service {
  readonly program: SystemProgram;
  readonly colour: number;
  readonly port: number;
  arguments(port: number, folder: string): Promise<string[]>;
}

const SERVICES: Readonly<Record<string, Service>> = {
  broker: {
    program: MOSQUITTO,
    colour: 36,
    port: 1883,
    async arguments(port, folder) {
      const config = join(folder, "mosquitto.conf");
      await Deno.writeTextFile(config, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
      return ["-c", config];
    },
  },
  redis: {
    program: REDIS,
    colour: 33,
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
  let stopping = false;
  const children: ChildProcess[] = [];
  const stop = () => {
    stopping = true;
    for (const child of children) child.kill("SIGTERM");
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, stop);
  const ends: Promise<void>[] = [];
  for (const [name, path] of paths) {
    const service = SERVICES[name]!;
    const port = Number(ports[name] ?? service.port);
    const child = spawn(path, await service.arguments(port, folder), { stdio: "pipe" });
    children.push(child);
    const say = prefixed(name, service.colour);
    say(`${service.program.name} on 127.0.0.1:${port}, Ctrl-C ends it`);
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output }).on("line", say);
    }
    ends.push(
      ended(child).then((code) => {
        if (stopping) return say("ended");
        say(`ended by itself with code ${code}; does another process hold port ${port}?`);
      }),
    );
  }
  await Promise.race(ends);
  const failed = !stopping;
  stop();
  await Promise.all(ends);
  return failed ? 1 : 0;
}

async function ended(child: ChildProcess): Promise<unknown> {
  const [code] = await once(child, "close");
  return code;
}

function prefixed(name: string, colour: number): (line: string) => void {
  const label = name.padEnd(6);
  const shown = Deno.stdout.isTerminal() ? `\x1b[${colour}m${label} |\x1b[0m` : `${label} |`;
  return (line) => console.log(`${shown} ${line}`);
}

if (import.meta.main) Deno.exit(await main());
