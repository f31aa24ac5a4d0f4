/**
 * `deno task compile:check`: proves the executable where the runtime part of the pinned Deno cannot
 * be had. Compiles the bundle with Deno 2.6.10 and runs the quickstart with the executable alone, in
 * an empty folder: server, two clients, session, stop, and the commands around them. Then runs all
 * of it with the clone: the same model must come out.
 */
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { ExitCode } from "../src/core/errors.ts";
import { sha256 } from "../src/core/model_package.ts";
import { makeBundle } from "./bundle.ts";
import { checkAlone, checkBeside, checkState, type Run } from "./check_commands.ts";
import { compile } from "./compile.ts";
import { projectRoot, V8_FLAGS } from "./project.ts";

const DENO = "2.6.10";
const DENORT_SCRIPT = `${projectRoot}/../shared/tools/get-denort.sh`;
const FOLDER = `${projectRoot}/dist/check`;
const PROGRAM = `${FOLDER}/flotilla`;
const DEADLINE_MS = 120_000;
const END_DEADLINE_MS = 10_000;
const SMALL_DATA = ["--items", "600"];
/** 600 images for each of two clients give about 0.85. */
const LEAST_ACCURACY = 0.7;
/**
 * A run to stop: it waits for a client that never comes. Stopping one in mid-training would cancel
 * calls, after which the old runtime, unlike the pinned one, aborts a client.
 */
const WAITING_RUN = ["--set", "session_config.min_clients=3"];

/** A way to run Flotilla. */
interface Program {
  readonly path: string;
  /** What stands before a command's own arguments. */
  readonly args: readonly string[];
  readonly options: (folder: string) => Deno.CommandOptions;
}

const EXECUTABLE: Program = { path: PROGRAM, args: [], options: alone };
const CLONE: Program = {
  path: Deno.execPath(),
  args: ["run", "-q", "-A", V8_FLAGS, `${projectRoot}/main.ts`],
  options: (cwd) => ({ cwd }),
};

/** Makes the executable with the shim that the old version needs. */
async function build(): Promise<void> {
  await Deno.mkdir(FOLDER, { recursive: true });
  const denort = `${FOLDER}/denort`;
  if (!existsSync(`${FOLDER}/deno`)) await fetchDeno();
  await succeed(DENORT_SCRIPT, [denort, `${FOLDER}/deno`]);
  await compile({
    bundle: await makeBundle({ out: `${FOLDER}/bundle`, first: ["tools/deno_2_6_shim.ts"] }),
    out: PROGRAM,
    target: null,
    deno: `${FOLDER}/deno`,
    env: { DENORT_BIN: denort, DENO_DIR: `${FOLDER}/deno_dir`, DENO_NO_UPDATE_CHECK: "1" },
  });
}

/** Takes the matching compiler out of its Python wheel. */
async function fetchDeno(): Promise<void> {
  await succeed("python3", [
    ...["-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"],
    ...["-d", FOLDER, `deno==${DENO}`],
  ]);
  const unpack = "import glob, shutil, sys, zipfile\n" +
    "wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + '/deno-*.whl')[0])\n" +
    "name = next(n for n in wheel.namelist() if n.endswith('/scripts/deno'))\n" +
    "shutil.copyfileobj(wheel.open(name), open(sys.argv[1] + '/deno', 'wb'))\n";
  await succeed("python3", ["-c", unpack, FOLDER]);
  await Deno.chmod(`${FOLDER}/deno`, 0o755);
}

/**
 * Runs the quickstart in a folder with nothing but its configuration and the data.
 *
 * @returns SHA-256 of the model that was trained
 */
async function quickstart(program: Program): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "flotilla-check-" });
  const started: Deno.ChildProcess[] = [];
  const start = (...args: string[]) => {
    const { path, args: first, options } = program;
    const command = new Deno.Command(path, { ...options(folder), args: [...first, ...args] });
    started.push(command.spawn());
  };
  try {
    await prepare(folder);
    const run: Run = (args, fails = ExitCode.ok) => flotilla(program, folder, args, fails);
    await checkAlone(run, folder);
    await checkBundledData(program, run);
    const rest = await freePort();
    const mqtt = String(await freePort());
    const endpoint = `localhost:${rest}`;
    const broker = ["--mqtt-port", mqtt];
    const startAll = async () => {
      const client = (n: string) =>
        start(
          "client",
          "--client-num",
          n,
          "--data",
          `part_${n}`,
          "--config",
          "client.yaml",
          ...broker,
        );
      start("server", "--data", "leader", "--rest-port", String(rest), ...broker);
      client("1");
      client("2");
      await Promise.race([answers(`http://${endpoint}/readyz`), ...started.map(endedEarly)]);
    };
    await startAll();
    const at = ["--federated-server-endpoint", endpoint];
    await run(["session", "config.yaml", ...at]);
    const hash = await checkResults(folder);
    await checkBeside(run, folder, at, hash);
    await run(["session", "config.yaml", "--detach", ...WAITING_RUN, ...at]);
    await run(["stop", runningSession(await run(["ps", "--json", ...at])), ...at]);
    await endsCleanly(started.splice(0));
    await checkState(run);
    await Deno.remove(`${folder}/runs`, { recursive: true });
    // The clients train by the steps that they compiled and kept before.
    await startAll();
    await run(["session", "config.yaml", ...at]);
    await endsCleanly(started.splice(0));
    if (await checkResults(folder) !== hash) throw new Error("Kept steps gave another model");
    return hash;
  } finally {
    await endAll(started);
    await Deno.remove(folder, { recursive: true });
  }
}

/** Ends the processes by request, and one that does not within the deadline by force. */
async function endAll(processes: readonly Deno.ChildProcess[]): Promise<void> {
  for (const process of processes) end(process, "SIGTERM");
  const force = setTimeout(() => {
    for (const process of processes) end(process, "SIGKILL");
  }, END_DEADLINE_MS);
  await Promise.all(processes.map(({ status }) => status));
  clearTimeout(force);
}

/** Ends the processes by request; one that crashed before or ends with another code is an error. */
async function endsCleanly(processes: readonly Deno.ChildProcess[]): Promise<void> {
  await endAll(processes);
  for (const { code, signal } of await Promise.all(processes.map(({ status }) => status))) {
    const interrupted = code === ExitCode.ok || code === ExitCode.interrupted;
    if (!interrupted) throw new Error(`A server or client ended with ${signal ?? `code ${code}`}`);
  }
}

/** Writes what a user would have beside the executable: two configs and the data. */
async function prepare(folder: string): Promise<void> {
  const quickstart = await Deno.readTextFile(`${projectRoot}/examples/quickstart/config.yaml`);
  // Without a folder of one's own, the server takes the model that comes with it.
  await Deno.writeTextFile(`${folder}/config.yaml`, quickstart.replace(/^ *model_dir:.*\n/m, ""));
  const ports = { sync_port: await freePort(), async_port: await freePort() };
  await Deno.writeTextFile(
    `${folder}/client.yaml`,
    JSON.stringify({ comm_config: { grpc: ports }, training: { threads: 2 } }),
  );
  await succeed(Deno.execPath(), [
    ...["run", "-q", "-A", `${projectRoot}/tools/demo_data.ts`, "--out", folder],
    ...SMALL_DATA,
  ]);
}

/** Nothing of the clone is in reach: neither its folder nor a Deno on the path. */
function alone(folder: string): Deno.CommandOptions {
  return { cwd: folder, clearEnv: true, env: { HOME: folder, PATH: "/usr/bin:/bin" } };
}

/** A clone has MNIST; the executable says what to name instead. */
async function checkBundledData(program: Program, run: Run): Promise<void> {
  const few = ["data", "partition", "--from", "mnist", "--mode", "fixed_samples"];
  const args = [...few, "--samples", "20", "--clients", "1", "--out", "few"];
  await run(args, program === CLONE ? ExitCode.ok : ExitCode.usage);
}

/** Runs one command to its end and returns what it printed; it must end with the given code. */
async function flotilla(
  { path, args: first, options }: Program,
  folder: string,
  args: readonly string[],
  expected: number,
): Promise<string> {
  console.log(`$ flotilla ${args.join(" ")}`);
  const command = new Deno.Command(path, {
    ...options(folder),
    args: [...first, ...args],
    stderr: "inherit",
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const { code, stdout } = await command.output();
  const text = new TextDecoder().decode(stdout);
  await Deno.stdout.write(stdout);
  if (code !== expected) throw new Error(`flotilla ${args.join(" ")} ended with code ${code}`);
  return text;
}

/** Checks that the run has learned something; returns SHA-256 of its model. */
async function checkResults(folder: string): Promise<string> {
  const run = [...Deno.readDirSync(`${folder}/runs`)][0]?.name ?? "";
  const results = JSON.parse(await Deno.readTextFile(`${folder}/runs/${run}/results.json`));
  const accuracy = results.final?.validation?.accuracy;
  if (results.status !== "finished" || !(accuracy > LEAST_ACCURACY)) {
    throw new Error(`Run is ${results.status} with accuracy ${accuracy}`);
  }
  return sha256(await Deno.readFile(`${folder}/runs/${run}/model.safetensors`));
}

/** Id of the run that `flotilla ps --json` calls running. */
function runningSession(lines: string): string {
  const rows = lines.trim().split("\n").map((line) => JSON.parse(line));
  const row = rows.find(({ status }) => status === "running");
  if (row === undefined) throw new Error("No run is running");
  return row.session_id;
}

async function answers(url: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    try {
      const response = await fetch(url);
      await response.body?.cancel();
      if (response.ok) return;
    } catch {
      // Not there yet.
    }
    if (Date.now() > deadline) throw new Error(`Nothing answers at ${url}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function endedEarly(process: Deno.ChildProcess): Promise<never> {
  const { code } = await process.status;
  throw new Error(`A server or client ended with code ${code}`);
}

async function succeed(program: string, args: string[]): Promise<void> {
  const { code } = await new Deno.Command(program, { args, stdin: "null" }).spawn().status;
  if (code !== 0) throw new Error(`${program} ended with code ${code}`);
}

function end(process: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    process.kill(signal);
  } catch {
    // It has ended by itself.
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

if (import.meta.main) {
  if (!existsSync(DENORT_SCRIPT)) {
    console.log(`compile:check skipped: there is no ${DENORT_SCRIPT}`);
  } else {
    await build();
    const [compiled, cloned] = [await quickstart(EXECUTABLE), await quickstart(CLONE)];
    if (compiled !== cloned) {
      throw new Error(`The executable trains model ${compiled}, the clone ${cloned}`);
    }
    const { size } = await Deno.stat(PROGRAM);
    console.log(
      `compile:check passed: the executable alone has run to the clone's bytes, ${
        Math.round(size / 1e6)
      } MB`,
    );
  }
}
