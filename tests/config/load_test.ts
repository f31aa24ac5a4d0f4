/** The files of leader and client, and how a file is read at all. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clientConfigSchema } from "../../src/config/client_config.ts";
import { parseConfig, readConfigText } from "../../src/config/load.ts";
import { InvalidConfigError } from "../../src/config/problems.ts";
import { serverConfigSchema } from "../../src/config/server_config.ts";
import { FileAccessError } from "../../src/core/errors.ts";
import { problemsOf } from "./registries.ts";

function shipped(name: string): Promise<string> {
  return readFile(new URL(`../../config/${name}`, import.meta.url), "utf8");
}

Deno.test("parseConfig() gives the leader its defaults", () => {
  assert.deepEqual(parseConfig(serverConfigSchema, "", "server_config.yaml"), {
    comm_config: {
      mqtt: {
        type: "server",
        mqtt_broker: "auto",
        mqtt_broker_port: 1883,
        mqtt_sub_timeout_s: 1,
        mqtt_server_topic: "advert_server",
        mqtt_client_topic: "advert_client",
        mqtt_heartbeat_interval_s: 5,
        num_heartbeats_timestamp_cached: 5,
        max_heartbeat_miss_threshold: 5,
      },
      grpc: { max_message_length: 1048576000, chunk_size_bytes: 262144, timeout_s: 1200 },
      restful: { rest_hostname: "127.0.0.1", rest_port: 12345 },
    },
    state: {
      state_location: "sqlite",
      state_hostname: "localhost",
      state_port: 6379,
      state_dir_path: "./state",
    },
    training: { arithmetic: "auto", threads: 1, device: "cpu", dataset_memory_mb: 1024 },
    checkpoint_dir_path: "./checkpoint",
    validation_data_dir_path: "./data",
    temp_dir_path: "./scratch",
    runs_dir_path: "./runs",
    models_dir_path: "./models",
  });
});

Deno.test("parseConfig() gives a client its defaults", () => {
  assert.deepEqual(parseConfig(clientConfigSchema, "", "client_config.yaml"), {
    comm_config: {
      mqtt: {
        type: "client",
        client_name: "workstation",
        mqtt_broker: "localhost",
        mqtt_broker_port: 1883,
        mqtt_sub_timeout_s: 30,
        mqtt_server_topic: "advert_server",
        mqtt_client_topic: "advert_client",
        heartbeat_timeout_s: 15,
      },
      grpc: {
        workers: 8,
        sync_port: 50053,
        async_port: 50054,
        host: "127.0.0.1",
        advertise_host: null,
      },
    },
    dataset_config: { datasets_dir_path: "./data" },
    training: { arithmetic: "auto", threads: 1, device: "cpu", dataset_memory_mb: 1024 },
    general_config: {
      slowdown: 1,
      temp_dir_path: null,
      use_gpu: true,
      cleanup_session_on_exit: false,
      cleanup_model_cache_on_exit: false,
      cleanup_temp_on_exit: false,
    },
  });
});

Deno.test("the shipped server_config.yaml holds every key with its default", async () => {
  const text = await shipped("server_config.yaml");
  const defaults = parseConfig(serverConfigSchema, "", "defaults");
  assert.deepEqual(parseConfig(serverConfigSchema, text, "server_config.yaml"), defaults);
  assert.deepEqual(keysIn(text), keysOf(defaults));
});

Deno.test("the shipped client_config.yaml holds every key with its default", async () => {
  const text = await shipped("client_config.yaml");
  const defaults = parseConfig(clientConfigSchema, "", "defaults");
  assert.deepEqual(parseConfig(clientConfigSchema, text, "client_config.yaml"), defaults);
  assert.deepEqual(keysIn(text), keysOf(defaults));
});

function keysIn(yaml: string): string[] {
  return [...yaml.matchAll(/^ *(\w+):/gm)].map(([, key]) => key!).sort();
}

function keysOf(value: object): string[] {
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === "object" && inner !== null ? [key, ...keysOf(inner)] : [key]
  ).sort();
}

Deno.test("parseConfig() accepts the original's leader and client values", () => {
  const server = parseConfig(
    serverConfigSchema,
    "comm_config:\n  mqtt: {mqtt_broker: localhost, mqtt_broker_port: 1884}\n" +
      "  grpc: {max_message_length: 1048576000, chunk_size_bytes: 1024, timeout_s: 1200000}\n" +
      "  restful: {rest_hostname: 0.0.0.0, rest_port: 12345}\n" +
      "state: {state_location: redis, state_hostname: localhost, state_port: 6379}\n",
    "server_config.yaml",
  );
  assert.equal(server.comm_config.grpc.timeout_s, 1_200_000);
  assert.equal(server.state.state_location, "redis");
  const client = parseConfig(
    clientConfigSchema,
    "general_config: {temp_dir_path: temp, use_gpu: True}\n",
    "client_config.yaml",
  );
  assert.equal(client.general_config.temp_dir_path, "temp");
});

Deno.test("parseConfig() reads inmemory as memory", () => {
  const { state } = parseConfig(serverConfigSchema, "state: {state_location: inmemory}", "x");
  assert.equal(state.state_location, "memory");
});

for (const schema of [serverConfigSchema, clientConfigSchema]) {
  Deno.test(`parseConfig() refuses an unknown arithmetic in ${nameOf(schema)}`, () => {
    const text = "training:\n  arithmetic: portabel\n";
    assert.deepEqual(problemsOf(() => parseConfig(schema, text, "x.yaml")), [
      'x.yaml:2:15 training.arithmetic "portabel" is not allowed; did you mean "portable"? ' +
      "Known: auto, portable",
    ]);
  });

  Deno.test(`parseConfig() takes auto or a count for the threads of ${nameOf(schema)}`, () => {
    const threadsOf = (value: string) =>
      parseConfig(schema, `training: {threads: ${value}}`, "x.yaml").training.threads;
    assert.equal(threadsOf("3"), 3);
    assert.equal(threadsOf("auto"), "auto");
    for (const bad of ["0", "-1", "1.5", "many"]) {
      const [problem] = problemsOf(() => threadsOf(bad));
      assert.match(problem!, /^x\.yaml:1:21 training\.threads /);
    }
  });
}

function nameOf(schema: typeof serverConfigSchema | typeof clientConfigSchema): string {
  return schema === serverConfigSchema ? "server_config.yaml" : "client_config.yaml";
}

Deno.test("parseConfig() lets settings win over the file", () => {
  const config = parseConfig(
    serverConfigSchema,
    "comm_config: {restful: {rest_port: 1}}\n",
    "server_config.yaml",
    ["comm_config.restful.rest_port=2"],
  );
  assert.equal(config.comm_config.restful.rest_port, 2);
});

Deno.test("parseConfig() reports what is wrong in a leader's file", () => {
  const text = `comm_config:
  mqtt:
    mqtt_broker: ""
    mqtt_broker_port: 70000
    mqtt_server_topic: adverts/#
  grpc:
    workers: 8
  restful:
    rest_port: "12345"
state:
  state_location: sqlit
runs_dir_path: 5
`;
  assert.deepEqual(problemsOf(() => parseConfig(serverConfigSchema, text, "server_config.yaml")), [
    'server_config.yaml:3:18 comm_config.mqtt.mqtt_broker must not be empty: got ""',
    "server_config.yaml:4:23 comm_config.mqtt.mqtt_broker_port must be at most 65535: got 70000",
    'server_config.yaml:5:24 comm_config.mqtt.mqtt_server_topic must be a topic without "#" and "+": got "adverts/#"',
    "server_config.yaml:7:5 comm_config.grpc.workers is not a known key. Known: max_message_length, chunk_size_bytes, timeout_s",
    'server_config.yaml:9:16 comm_config.restful.rest_port must be a number: got "12345"',
    'server_config.yaml:11:19 state.state_location "sqlit" is not allowed; did you mean "sqlite"? Known: memory, inmemory, sqlite, redis',
    "server_config.yaml:12:16 runs_dir_path must be text: got 5, write it in quotes",
  ]);
});

Deno.test("parseConfig() takes time in proportion to the number of keys", () => {
  const text = Array.from({ length: 60_000 }, (_, i) => `key${i}: 1\n`).join("");
  const start = performance.now();
  const lines = problemsOf(() => parseConfig(serverConfigSchema, text, "server_config.yaml"));
  // Comparing each key with each other takes a minute.
  assert.ok(performance.now() - start < 15_000);
  assert.match(lines[0]!, /^server_config.yaml:1:1 key0 is not a known key. Known: comm_config, /);
  assert.match(lines[19]!, /^server_config.yaml:20:1 key19 is not a known key. /);
  assert.equal(lines[20], "and 59980 more problems");
});

Deno.test("InvalidConfigError holds each problem with its place", () => {
  assert.throws(
    () => parseConfig(serverConfigSchema, "state:\n  state_port: -1\n", "server_config.yaml"),
    (error) => {
      assert.ok(error instanceof InvalidConfigError);
      const location = {
        file: "server_config.yaml",
        line: 2,
        column: 15,
        key: "state.state_port",
      };
      assert.deepEqual(error.problems, [{ reason: "must be at least 0: got -1", location }]);
      assert.deepEqual(error.location, location);
      return true;
    },
  );
});

Deno.test("readConfigText() reads a file", async () => {
  await inFolder(async (folder) => {
    const file = join(folder, "config.yaml");
    await writeFile(file, "a: é\n");
    assert.equal(await readConfigText(file), "a: é\n");
  });
});

Deno.test("readConfigText() refuses a missing file, a folder, bytes and 10 MB", async () => {
  await inFolder(async (folder) => {
    const file = join(folder, "config.yaml");
    await assert.rejects(readConfigText(file), (error) => {
      assert.ok(error instanceof FileAccessError);
      assert.equal(error.message, `Cannot read the configuration "${file}": there is no such file`);
      return true;
    });
    await assert.rejects(readConfigText(folder), {
      message: `Cannot read the configuration "${folder}": it is a folder`,
    });
    await writeFile(file, new Uint8Array([0x61, 0xff]));
    await assert.rejects(readConfigText(file), {
      message: `${file} cannot be read as text: it is not UTF-8`,
    });
    await truncate(file, 10_000_000);
    await assert.rejects(readConfigText(file), {
      message: `${file} cannot be a configuration as it has more than 1048576 bytes`,
    });
  });
});

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "flotilla-config-"));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
