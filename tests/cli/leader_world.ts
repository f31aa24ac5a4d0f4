/** A leader's real REST interface over a service driven by hand, and real `flotilla` processes. */
import { fileURLToPath } from "node:url";
import { sessionConfigFrom } from "../../src/config/parse_session.ts";
import { createRest, type RestServer, serveRest } from "../../src/server/rest.ts";
import { sessionRegistries } from "../../src/cli/session_registries.ts";
import { FakeService } from "../server/rest/fake_service.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const CONFIG_FILE = fileURLToPath(new URL("../../deno.json", import.meta.url));
const DEADLINE_MS = 20_000;

/** The least that a session config must say, as a file. */
export const CONFIG_TEXT = `session_config:
  session_id: quickstart
server_training_config:
  num_training_rounds: 3
client_training_config:
  model_id: MLP
  dataset: MNIST
`;

/** A leader that listens on a port of its own. */
export class LeaderWorld implements AsyncDisposable {
  readonly service = new FakeService();
  #server: RestServer;

  constructor() {
    this.#server = this.#serve(0);
  }

  get endpoint(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  /** Breaks all connections, as a leader that ends does. */
  async stop(): Promise<void> {
    await this.#server.close();
  }

  /** Listens again where it did. */
  restart(): void {
    this.#server = this.#serve(this.#server.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }

  #serve(port: number): RestServer {
    const parseConfig = (config: unknown) =>
      sessionConfigFrom(config, "request", sessionRegistries);
    return serveRest(createRest(this.service, { parseConfig }), { port, graceMs: 200 });
  }
}

/** A `flotilla` process whose output is collected as it comes. */
export class FlotillaProcess implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly #texts = { stdout: "", stderr: "" };
  readonly #readers: Promise<void>[];
  #changed = Promise.withResolvers<void>();

  constructor(command: Deno.Command) {
    this.child = command.spawn();
    this.#readers = [
      this.#collect("stdout", this.child.stdout),
      this.#collect("stderr", this.child.stderr),
    ];
  }

  get stdout(): string {
    return this.#texts.stdout;
  }

  get stderr(): string {
    return this.#texts.stderr;
  }

  /** Resolves as soon as the text has been printed. */
  async printed(text: string, where: "stdout" | "stderr" = "stdout"): Promise<void> {
    await beforeDeadline(async () => {
      while (!this.#texts[where].includes(text)) await this.#changed.promise;
    }, () => `no "${text}" in ${where}: ${this.stdout}${this.stderr}`);
  }

  /** The exit code, when all output has been read. */
  async exit(): Promise<number> {
    return await beforeDeadline(async () => {
      const { code } = await this.child.status;
      await Promise.all(this.#readers);
      return code;
    }, () => `it does not end: ${this.stdout}${this.stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.child.status;
    await Promise.all(this.#readers);
  }

  async #collect(name: "stdout" | "stderr", stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      this.#texts[name] += decoder.decode(bytes, { stream: true });
      const { resolve } = this.#changed;
      this.#changed = Promise.withResolvers();
      resolve();
    }
  }
}

/** How to start a process. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** The arguments of Deno that run `flotilla` with these arguments. */
export function denoArgs(args: readonly string[]): string[] {
  return ["run", "-q", "-A", "--config", CONFIG_FILE, MAIN, ...args];
}

/** Starts `flotilla` with these arguments. */
export function start(args: readonly string[], { env = {}, cwd }: RunOptions = {}) {
  return startCommand(Deno.execPath(), denoArgs(args), { env, ...(cwd && { cwd }) });
}

/** Starts any program with its output collected. */
export function startCommand(program: string, args: readonly string[], options: RunOptions = {}) {
  return new FlotillaProcess(
    new Deno.Command(program, {
      args: [...args],
      ...options,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }),
  );
}

/** Runs `flotilla` to its end. */
export async function run(args: readonly string[], options: RunOptions = {}) {
  await using process = start(args, options);
  const code = await process.exit();
  return { code, stdout: process.stdout, stderr: process.stderr };
}

/** A folder that is removed at the end, with files by relative path. */
export class Folder implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync();

  async write(files: Readonly<Record<string, string>>): Promise<this> {
    for (const [name, content] of Object.entries(files)) {
      const path = `${this.path}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(path, content);
    }
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

async function beforeDeadline<T>(wait: () => Promise<T>, why: () => string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(why())), DEADLINE_MS);
  try {
    return await Promise.race([wait(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
