/** What a user may get wrong: each is told with its place, ends with code 2, and starts nothing. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { stringify } from "yaml";
import { Federation } from "../fixtures/federation.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 60);

Deno.test("flotilla session refuses a config that cannot work and starts nothing", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  const valid = stringify(runConfig());
  const wrong: [string, string, RegExp][] = [
    ["broken YAML", "session_config: [\n  a: b", /:2:\d+ /],
    [
      "unknown key",
      valid.replace("epochs", "epochs").replace("learning_rate", "learning_rat"),
      /:\d+:\d+ client_training_config\.learning_rat .*learning_rate/,
    ],
    [
      "missing key",
      valid.replace(/ +num_training_rounds: .*\n/, ""),
      /server_training_config\.num_training_rounds is missing/,
    ],
    [
      "wrong type",
      valid.replace(/min_clients: 2/, "min_clients: many"),
      /:\d+:\d+ session_config\.min_clients .*many/,
    ],
    [
      "negative rounds",
      valid.replace(/num_training_rounds: 2/, "num_training_rounds: -1"),
      /num_training_rounds .*-1/,
    ],
    [
      "unknown aggregator",
      valid.replace("session_config:", "session_config:\n  aggregator: fedagv"),
      /session_config\.aggregator "fedagv" .*fedavg/,
    ],
    [
      "unknown selector",
      valid.replace("client_selection: all", "client_selection: al"),
      /session_config\.client_selection "al" .*all/,
    ],
    [
      "unknown model",
      valid.replace(/model_dir: .*/, "model_dir: Nowhere"),
      /Cannot find the model "Nowhere"/,
    ],
    [
      "no clients a round",
      valid.replace("client_selection: all", "client_selection_args: { num_clients_per_round: 0 }"),
      /num_clients_per_round .*at least 1.*0/,
    ],
    [
      "unknown validation set",
      valid.replace("model_dir:", "validation_dataset: Nowhere\n  model_dir:"),
      /validation_dataset "Nowhere"/,
    ],
    ["10 MB", `${valid}# ${"x".repeat(10 * 1024 * 1024)}\n`, /1 MiB|1048576|too large/i],
  ];
  for (const [what, text, message] of wrong) {
    const file = join(federation.folder, "wrong.yaml");
    await Deno.writeTextFile(file, text);
    const session = federation.ask("session", file);
    assert.equal(await session.exitCode(), 2, `${what}: ${session.printed()}`);
    assert.match(session.stderr, message, what);
    assert.equal(session.stdout, "", what);
  }
  const { body } = await federation.api("/api/v1/sessions");
  assert.deepEqual(body, { sessions: [], unreadable: [] });
});

Deno.test("a model that does not fit the data is refused before round 1 with layer and shapes", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  const folder = join(federation.folder, "Misfit");
  await Deno.mkdir(folder);
  await Deno.writeTextFile(
    join(folder, "model.js"),
    `export default ({ tf }) => tf.sequential({ layers: [
      tf.layers.flatten({ inputShape: [32, 32, 3], name: "pixels" }),
      tf.layers.dense({ units: 10 }),
    ] });`,
  );
  const session = await federation.session(
    runConfig({ server: { model_dir: folder }, client: { model_id: "Misfit" } }),
  );
  assert.equal(await session.exitCode(), 2, session.printed());
  assert.match(session.stderr, /layer "pixels".*\[28,28,1\].*\[32,32,3\]/);
});

Deno.test("a dataset that no client holds fails the run with the number of clients", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  await federation.startClient(1, data.part(1));
  await federation.clientsActive(1);
  const session = await federation.session(
    runConfig({ session: { wait_for_clients_s: 0.1 }, client: { dataset: "CIFAR10" } }),
  );
  assert.equal(await session.exitCode(), 1, session.printed());
  assert.match(session.printed(), /0 came .* dataset "CIFAR10", 1 are active/);
});

Deno.test("a run in which every client fails ends with code 1 and each client's reason", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  await federation.clientsActive(2);
  const session = await federation.session(runConfig({ client: { learning_rate: 1e30 } }));
  assert.equal(await session.exitCode(), 1, session.printed());
  assert.match(session.stdout, /^round 1\/2 given up: 0 updates as min_updates is 1, the global /m);
  assert.match(
    session.stderr,
    /Round 2 has 0 updates .*, and round 1 was given up: workstation_1: /,
  );
  assert.match(session.stderr, /workstation_1 \(rounds 1-2\): .*loss/);
  assert.match(session.stderr, /workstation_2 \(rounds 1-2\): .*loss/);
});

Deno.test("flotilla client refuses a dataset that is not whole, with the file and the reason", async () => {
  await using federation = await Federation.start();
  const spoil = async (name: string, change: (folder: string) => Promise<void>) => {
    const root = join(federation.folder, name);
    const folder = join(root, "MNIST");
    await Deno.mkdir(folder, { recursive: true });
    for await (const { name } of Deno.readDir(join(data.part(1), "MNIST"))) {
      await Deno.copyFile(join(data.part(1), "MNIST", name), join(folder, name));
    }
    await change(folder);
    return root;
  };
  const images = "images-idx3-ubyte";
  const labels = "labels-idx1-ubyte";
  const rewrite = async (path: string, change: (bytes: Uint8Array) => Uint8Array) => {
    await Deno.writeFile(path, change(await Deno.readFile(path)));
  };
  const wrong: [string, (folder: string) => Promise<void>, RegExp][] = [
    ["missing", (f) => Deno.remove(join(f, images)), /images-idx3-ubyte.*no such file/],
    [
      "truncated",
      (f) => rewrite(join(f, images), (b) => b.subarray(0, 1000)),
      /images-idx3-ubyte.*1000/,
    ],
    ["wrong_magic", (f) => rewrite(join(f, images), (b) => (b[2] = 99, b)), /images-idx3-ubyte/],
    [
      "label_out_of_range",
      (f) => rewrite(join(f, labels), (b) => (b[8 + 4] = 200, b)),
      /labels-idx1-ubyte with label 200 in row 5: num_classes is 10/,
    ],
    ["zero_items", async (f) => {
      await rewrite(join(f, images), (b) => (b.fill(0, 4, 8), b.subarray(0, 16)));
      await rewrite(join(f, labels), (b) => (b.fill(0, 4, 8), b.subarray(0, 8)));
    }, /no items/],
    [
      "fewer_labels",
      (f) => rewrite(join(f, labels), (b) => (b[7] = 59, b.subarray(0, 67))),
      /59.*60|60.*59/s,
    ],
  ];
  for (const [name, change, message] of wrong) {
    const client = federation.run(["client", "--data", await spoil(name, change)]);
    assert.equal(await client.exitCode(), 2, `${name}: ${client.printed()}`);
    assert.match(client.stderr, message, name);
  }
  const nowhere = federation.run(["client", "--data", "nowhere"]);
  assert.equal(await nowhere.exitCode(), 2);
  assert.match(nowhere.stderr, /nowhere/);
});

Deno.test("flotilla server and client refuse a configuration file with its line and key", async () => {
  await using federation = await Federation.prepare();
  const file = join(federation.folder, "wrong.yaml");
  await Deno.writeTextFile(file, "comm_config:\n  mqtt:\n    mqtt_broker_prot: 1884\n");
  const programs = ["server", "client"].map((role) => federation.run([role, "--config", file]));
  for (const program of programs) {
    assert.equal(await program.exitCode(), 2, program.printed());
    assert.match(
      program.stderr,
      /wrong\.yaml:3:5 comm_config\.mqtt\.mqtt_broker_prot .*"mqtt_broker_port"/,
    );
    assert.doesNotMatch(program.stderr, /listens/);
  }
});

Deno.test("taken ports are errors that name the port and the flag", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  await federation.startClient(1, data.part(1));
  const server = federation.run([
    "server",
    "--rest-port",
    `${federation.restPort}`,
    "--state",
    "memory",
  ]);
  assert.equal(await server.exitCode(), 2, server.printed());
  assert.match(server.stderr, new RegExp(`${federation.restPort}.*--rest-port`));
  const client = federation.run([
    "client",
    ...["--config", join(federation.folder, "client_1.yaml"), "--data", data.part(2)],
    ...["--temp-dir", "other"],
  ]);
  assert.equal(await client.exitCode(), 2, client.printed());
  assert.match(client.stderr, new RegExp(`${federation.firstEdgePort}.*--client-num`));
});

Deno.test("a folder of runs that cannot be written is told at submission", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  // A file in its place: root may write to a folder without permission.
  await Deno.writeTextFile(join(federation.folder, "runs"), "in the way");
  const session = await federation.session(runConfig());
  assert.equal(await session.exitCode(), 2, session.printed());
  assert.match(session.stderr, /runs/);
  assert.deepEqual((await federation.api("/api/v1/sessions")).body, {
    sessions: [],
    unreadable: [],
  });
});

Deno.test("flotilla session without a server ends with code 3 and says what to start", async () => {
  await using federation = await Federation.start();
  const file = join(federation.folder, "config.yaml");
  await Deno.writeTextFile(file, stringify(runConfig()));
  const session = federation.run(["session", file, "--federated-server-endpoint", "localhost:9"]);
  assert.equal(await session.exitCode(), 3, session.printed());
  assert.match(session.stderr, /localhost:9.*flotilla server/s);
});

Deno.test("REST answers nonsense with 4xx and goes on serving", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  const post = (body: BodyInit, type = "application/json", path = "/api/v1/sessions") =>
    federation.api(path, { method: "POST", headers: { "content-type": type }, body });
  assert.equal((await post("{")).status, 400);
  assert.equal((await post("{}", "text/plain")).status, 415);
  assert.equal((await post("{}", "application/json", "/nowhere")).status, 404);
  assert.equal((await post(new Uint8Array(40 * 1024 * 1024))).status, 413);
  assert.equal(
    (await post(JSON.stringify({ config: { session_config: { seed: -1 } } }))).status,
    400,
  );
  assert.equal((await federation.api("/healthz")).status, 200);
});
