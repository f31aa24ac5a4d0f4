/**
 * The whole workflow in one command: makes data, starts a server and two clients as processes of
 * their own, submits the quickstart, shows it, and ends everything it has started.
 */
import { MALLOC_ENV, projectRoot, V8_FLAGS } from "./project.ts";

const DATA = "data/quickstart";
const LOGS = `${DATA}/logs`;
const SERVER = "http://localhost:12345";
const START_DEADLINE_MS = 30_000;

/** Arguments of the three commands, as the README shows them. */
const COMMANDS = {
  server: ["server", "--data", `${DATA}/leader`],
  client1: ["client", "--client-num", "1", "--data", `${DATA}/part_1`],
  client2: ["client", "--client-num", "2", "--data", `${DATA}/part_2`],
  session: ["session", "examples/quickstart/config.yaml"],
};

/** A process of the demo, its output in a file. */
interface Service {
  readonly name: string;
  readonly log: string;
  readonly process: Deno.ChildProcess;
  readonly ended: Promise<number>;
}

async function demo(): Promise<number> {
  await Deno.mkdir(LOGS, { recursive: true });
  await run(["run", "-q", "-A", "tools/demo_data.ts"]);
  const services: Service[] = [];
  try {
    // A state of its own: a run that somebody else's server left open is not the demo's to resume.
    services.push(start("server", [...COMMANDS.server, "--state-dir", `${DATA}/state`]));
    services.push(start("client_1", COMMANDS.client1), start("client_2", COMMANDS.client2));
    await ready(services);
    console.log(
      "\nA server and two clients are running; submitting examples/quickstart/config.yaml\n",
    );
    const session = await flotilla(COMMANDS.session);
    if (session === 0) sayHow();
    return session;
  } finally {
    await endAll(services);
  }
}

function start(name: string, args: readonly string[]): Service {
  const log = `${LOGS}/${name}.log`;
  const file = Deno.openSync(log, { write: true, create: true, truncate: true });
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", V8_FLAGS, "main.ts", ...args],
    env: MALLOC_ENV,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  void process.stderr.pipeTo(file.writable);
  return { name, log, process, ended: process.status.then(({ code }) => code) };
}

/** Waits until the server answers; fails as soon as one of the services ends. */
async function ready(services: readonly Service[]): Promise<void> {
  const early = services.map(async ({ name, log, ended }) => {
    const code = await ended;
    const text = (await Deno.readTextFile(log)).trimEnd();
    throw new Error(`${name} ended with code ${code} (${log}):\n${text}`);
  });
  // Later they may end: nobody waits for these any more then.
  for (const watch of early) watch.catch(() => {});
  await Promise.race([...early, serverAnswers()]);
}

async function serverAnswers(): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  for (;;) {
    try {
      const response = await fetch(`${SERVER}/readyz`);
      await response.body?.cancel();
      if (response.ok) return;
    } catch {
      // Not there yet.
    }
    if (Date.now() > deadline) throw new Error(`No server answers on ${SERVER}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function flotilla(args: readonly string[]): Promise<number> {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", V8_FLAGS, "main.ts", ...args],
    env: MALLOC_ENV,
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return code;
}

async function run(args: readonly string[]): Promise<void> {
  const { code } = await new Deno.Command(Deno.execPath(), { args: [...args] }).spawn().status;
  if (code !== 0) throw new Error(`deno ${args.join(" ")} ended with code ${code}`);
}

async function endAll(services: readonly Service[]): Promise<void> {
  for (const { process } of [...services].reverse()) {
    try {
      process.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
  }
  await Promise.all(services.map(({ ended }) => ended));
}

function sayHow(): void {
  const line = (args: readonly string[]) => `  deno task flotilla ${args.join(" ")}`;
  console.log(`
The same by hand, each in a terminal of its own:
${line(COMMANDS.server)}
${line(COMMANDS.client1)}      (and --client-num 2 --data ${DATA}/part_2)
${line(COMMANDS.session)}`);
}

Deno.chdir(projectRoot);
// The children get the same Ctrl-C from the terminal; the demo waits until they have ended.
Deno.addSignalListener("SIGINT", () => {});
try {
  Deno.exitCode = await demo();
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  Deno.exitCode = 1;
}
