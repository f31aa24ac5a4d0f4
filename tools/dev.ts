/**
 * `deno task dev`: makes the demo's data, then runs a server and two clients in one terminal and
 * starts them again whenever the source changes. Ctrl-C ends all and leaves nothing but the data
 * and the results of runs.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ExitCode, FlotillaError, messageOf, UsageError } from "../src/core/errors.ts";
import { type Member, ProcessGroup } from "./process_group.ts";
import { projectRoot, V8_FLAGS } from "./project.ts";
import { sourceChanges } from "./source_changes.ts";

const HELP = `deno task dev [FLAGS]
  --rest-port N   port of the REST interface (12345)
  --mqtt-port N   port of the MQTT broker (1883)
  --grpc-port N   first of the four ports of the two clients (50053)
  --data DIR      where the data is made (data/quickstart)
  --items N       training images for each client (6000)`;

/** What to run, and where. */
interface DevOptions {
  readonly restPort: number;
  readonly mqttPort: number;
  /** First of four: each client takes two. */
  readonly grpcPort: number;
  readonly data: string;
  readonly items: number;
}

async function dev(options: DevOptions): Promise<void> {
  const interrupted = new AbortController();
  let group: ProcessGroup | null = null;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      if (interrupted.signal.aborted) group?.kill();
      interrupted.abort();
    });
  }
  const made = await makeData(options);
  // Ctrl-C reaches the one that makes the data as well.
  if (interrupted.signal.aborted) return;
  if (!made) throw new FlotillaError(`Cannot make the data in "${options.data}": see above`);
  const folder = await Deno.makeTempDir({ prefix: "flotilla_dev_" });
  try {
    const members = await membersIn(folder, options);
    const changes = sourceChanges(projectRoot, interrupted.signal);
    while (!interrupted.signal.aborted) {
      group = new ProcessGroup(members, projectRoot);
      const { value: files } = await changes.next();
      if (files) console.log(`${files.join(", ")} changed: starting again`);
      await group.stop();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function makeData({ data, items }: DevOptions): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-q", "-A", "tools/demo_data.ts"],
      ...["--out", data, "--items", String(items)],
    ],
    cwd: projectRoot,
  }).spawn().status;
  return success;
}

/** The three processes; their state, identities and caches are in a folder that goes with them. */
async function membersIn(folder: string, options: DevOptions): Promise<Member[]> {
  const { restPort, mqttPort, grpcPort, data } = options;
  const clientConfig = join(folder, "client_config.yaml");
  const grpc = { sync_port: grpcPort, async_port: grpcPort + 1 };
  // JSON is YAML.
  await Deno.writeTextFile(clientConfig, JSON.stringify({ comm_config: { grpc } }));
  const flotilla = (name: string, colour: Member["colour"], args: readonly string[]): Member => ({
    name,
    colour,
    program: Deno.execPath(),
    args: ["run", "-q", "-A", V8_FLAGS, "main.ts", ...args, "--mqtt-port", String(mqttPort)],
    hint: "the next change starts it again",
  });
  const client = (n: number, colour: Member["colour"]) =>
    flotilla(`client_${n}`, colour, [
      ...["client", "--client-num", String(n), "--config", clientConfig],
      ...["--data", `${data}/part_${n}`, "--temp-dir", join(folder, `temp_${n}`)],
    ]);
  return [
    flotilla("server", "cyan", [
      ...["server", "--rest-port", String(restPort), "--data", `${data}/leader`],
      ...["--state-dir", join(folder, "state")],
    ]),
    client(1, "yellow"),
    client(2, "green"),
  ];
}

/** @throws {UsageError} an unknown flag, or a value that is not a number in its range */
function readOptions(args: string[]): DevOptions | "help" {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        help: { type: "boolean", default: false },
        "rest-port": { type: "string", default: "12345" },
        "mqtt-port": { type: "string", default: "1883" },
        "grpc-port": { type: "string", default: "50053" },
        data: { type: "string", default: "data/quickstart" },
        items: { type: "string", default: "6000" },
      },
    }));
  } catch (error) {
    throw new UsageError(`Cannot read the flags: ${messageOf(error)}`);
  }
  if (values.help) return "help";
  return {
    restPort: wholeNumber("--rest-port", values["rest-port"], 65535),
    mqttPort: wholeNumber("--mqtt-port", values["mqtt-port"], 65535),
    grpcPort: wholeNumber("--grpc-port", values["grpc-port"], 65532),
    data: values.data,
    items: wholeNumber("--items", values.items, 30_000),
  };
}

function wholeNumber(flag: string, text: string, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
  throw new UsageError(
    `Cannot use ${flag} "${text}": a whole number from 1 to ${most} is needed`,
  );
}

if (import.meta.main) {
  try {
    const options = readOptions(Deno.args);
    if (options === "help") console.log(HELP);
    else await dev(options);
  } catch (error) {
    console.error(`error: ${messageOf(error)}`);
    Deno.exit(error instanceof FlotillaError ? error.exitCode : ExitCode.failed);
  }
  Deno.exit(ExitCode.ok);
}
