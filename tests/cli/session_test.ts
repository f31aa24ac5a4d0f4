/** `flotilla session` as a real process against a real REST interface. */
import assert from "node:assert/strict";
import type { SessionEvent } from "../../src/session/events.ts";
import { failedRun, finishedRun } from "../fixtures/recorded_run.ts";
import { CONFIG_TEXT, Folder, LeaderWorld, run, start } from "./leader_world.ts";

const FINISHED = eventsAfterSubmission(finishedRun);
const FAILED = eventsAfterSubmission(failedRun);

Deno.test("flotilla session prints the id first, then a line an event, and exits with 0", async () => {
  await using world = await started();
  await world.submitted();
  world.leader.service.add("session-1", ...FINISHED);
  assert.equal(await world.process.exit(), 0, world.process.stderr);
  const lines = world.process.stdout.split("\n");
  assert.equal(lines[0], "session session-1");
  assert.equal(lines[1], "submitted: model MLP, 3 rounds, seed 1");
  assert.equal(lines[3], "round 1/3 started: workstation_1, workstation_2");
  assert.ok(lines.includes("round 2/3 workstation_2 failed: the connection was lost"));
  assert.match(world.process.stdout, /^finished: 3 rounds in .*accuracy 93\.12 %/m);
  assert.match(world.process.stdout, /results are in the server's folder of runs:/);
  assert.equal(world.process.stderr, "");
});

Deno.test("flotilla session exits with 1 and lists every client's reason when the run fails", async () => {
  await using world = await started();
  await world.submitted();
  world.leader.service.add("session-1", ...FAILED);
  assert.equal(await world.process.exit(), 1);
  assert.equal(
    world.process.stderr,
    "error: Session session-1 failed: round 1 has 0 updates: at least 1 is needed\n" +
      "  workstation_1 (round 1): the deadline of 300 s has passed\n" +
      "  workstation_2 (round 1): refused: NaN in tensor dense/kernel\n",
  );
});

Deno.test("flotilla session exits with 1 when the run is stopped", async () => {
  await using world = await started();
  await world.submitted();
  await world.leader.service.stop("session-1", "stopped by a user");
  assert.equal(await world.process.exit(), 1);
  assert.equal(world.process.stderr, "error: Session session-1 was stopped: stopped by a user\n");
});

Deno.test("flotilla session --json prints one object per line: id, entries and notes", async () => {
  await using world = await started("--json");
  await world.submitted();
  const { service } = world.leader;
  service.note("session-1", { type: "waiting_for_clients", present: 0, needed: 2 });
  await world.process.printed("waiting_for_clients");
  service.add("session-1", ...FINISHED);
  assert.equal(await world.process.exit(), 0);
  const objects = world.process.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(objects[0], { session: "session-1" });
  assert.equal(objects[1].event.type, "session_submitted");
  assert.deepEqual(objects[2], { note: { type: "waiting_for_clients", present: 0, needed: 2 } });
  assert.deepEqual(objects.slice(3).map(({ seq }) => seq), FINISHED.map((_, i) => i + 2));
});

Deno.test("flotilla session --detach prints the id and leaves the run alone", async () => {
  await using world = await started("--detach");
  assert.equal(await world.process.exit(), 0);
  assert.equal(world.process.stdout, "session session-1\n");
});

Deno.test("flotilla session resumes after the leader has restarted, each event once", async () => {
  await using world = await started();
  await world.submitted();
  world.leader.service.add("session-1", ...FINISHED.slice(0, 6));
  await world.process.printed("round 1/3 validated");
  await world.leader.stop();
  await world.process.printed("connection to the server is broken");
  world.leader.service.add("session-1", ...FINISHED.slice(6));
  world.leader.restart();
  assert.equal(await world.process.exit(), 0, world.process.stderr);
  const events = world.process.stdout.split("\n").filter((line) => /^round \d\/3 /.test(line));
  assert.equal(events.length, 15);
  assert.equal(new Set(events).size, 15);
});

Deno.test("flotilla session detaches at the first Ctrl-C, says how to go on, and exits with 130", async () => {
  await using world = await started();
  await world.submitted();
  world.process.child.kill("SIGINT");
  assert.equal(await world.process.exit(), 130);
  assert.match(world.process.stderr, /flotilla logs session-1 --follow/);
  assert.match(world.process.stderr, /flotilla stop session-1/);
  assert.equal((await world.leader.service.get("session-1")).endedAt, null);
});

Deno.test("flotilla session exits with 3 and names the endpoint when nothing answers", async () => {
  await using folder = await new Folder().write({ "config.yaml": CONFIG_TEXT });
  const endpoint = await refusedEndpoint();
  const { code, stdout, stderr } = await run(
    ["session", `${folder.path}/config.yaml`, "--federated-server-endpoint", endpoint],
  );
  assert.equal(code, 3);
  assert.equal(stdout, "");
  assert.match(
    stderr,
    new RegExp(`^error: Cannot reach a Flotilla server at ${endpoint} .*server"`),
  );
});

Deno.test("flotilla session exits with 3 when what answers is not a Flotilla server", async () => {
  await using server = Deno.serve({ port: 0, onListen() {} }, () => new Response("hello"));
  await using folder = await new Folder().write({ "config.yaml": CONFIG_TEXT });
  const { code, stderr } = await run(
    ["session", `${folder.path}/config.yaml`, ...endpointFlag(`127.0.0.1:${server.addr.port}`)],
  );
  assert.equal(code, 3);
  assert.match(stderr, /not JSON/);
});

Deno.test("flotilla session refuses a wrong config with its place and submits nothing", async () => {
  const text = CONFIG_TEXT.replace("num_training_rounds: 3", "num_training_rounds: -3");
  await using world = await started(text);
  assert.equal(await world.process.exit(), 2);
  assert.match(
    world.process.stderr,
    /config\.yaml:4:\d+ server_training_config\.num_training_rounds/,
  );
  assert.equal(world.leader.service.submissions.length, 0);
});

Deno.test("flotilla session --set changes keys, the last of equal ones counting", async () => {
  const key = "server_training_config.num_training_rounds";
  await using world = await started("--detach", "--set", `${key}=7`, "--set", `${key}=9`);
  assert.equal(await world.process.exit(), 0, world.process.stderr);
  const [submission] = world.leader.service.submissions;
  assert.equal(submission!.config.server_training_config.num_training_rounds, 9);
});

Deno.test("flotilla session sends the model folder beside the config", async () => {
  const text = `${CONFIG_TEXT}`.replace(
    "server_training_config:\n",
    "server_training_config:\n  model_dir: models/mlp\n",
  );
  await using world = await started({
    "config.yaml": text,
    "models/mlp/config.yaml": "model_details: {}\n",
    "models/mlp/model.json": "{}",
    "models/mlp/parts/layers.json": "[]",
  }, "--detach");
  assert.equal(await world.process.exit(), 0, world.process.stderr);
  const { modelPackage } = world.leader.service.submissions[0]!;
  assert.equal(modelPackage!.id, "MLP");
  assert.deepEqual(Object.keys(modelPackage!.files).sort(), [
    "config.yaml",
    "model.json",
    "parts/layers.json",
  ]);
  assert.equal(new TextDecoder().decode(modelPackage!.files["parts/layers.json"]), "[]");
});

Deno.test("flotilla session takes both spellings of a long flag", async () => {
  await using leader = new LeaderWorld();
  await using folder = await new Folder().write({ "config.yaml": CONFIG_TEXT });
  for (const flag of ["--federated_server_endpoint", "--federated-server-endpoint"]) {
    const { code, stdout } = await run(
      ["session", `${folder.path}/config.yaml`, "--detach", `${flag}=${leader.endpoint}`],
    );
    assert.equal(code, 0);
    assert.match(stdout, /^session session-\d\n$/);
  }
});

for (
  const [flags, message] of [
    ["--restore", /Cannot continue a run without --session-id/],
    ["--revive", /Cannot continue a run without --session-id/],
    ["--file", /Cannot use --file alone/],
    ["--session_id=abc", /Cannot use --session-id without --restore or --revive/],
    ["--round=2", /Cannot use --round without --from or --file/],
    ["--restore --session-id=abc --round=2", /but for --file/],
    ["--from=abc --restore", /Cannot use --from with --restore/],
    ["--from=abc --round=2", /Cannot use ".*" with --from/],
  ] as const
) {
  Deno.test(`flotilla session CONFIG ${flags} is refused`, async () => {
    await using world = await started(...flags.split(" "));
    assert.equal(await world.process.exit(), 2);
    assert.match(world.process.stderr, message);
    assert.equal(world.leader.service.submissions.length, 0);
  });
}

/** A `flotilla session` process that has been started with a leader and a folder of its own. */
class SessionWorld implements AsyncDisposable {
  constructor(
    readonly leader: LeaderWorld,
    readonly folder: Folder,
    readonly process: ReturnType<typeof start>,
  ) {}

  /** Resolves when the process follows the run. */
  submitted(): Promise<void> {
    return this.leader.service.until(() => this.leader.service.followers === 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
    await this.leader[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** Starts one; an argument with line breaks is the config's text, an object the folder's files. */
async function started(
  ...args: readonly (string | Readonly<Record<string, string>>)[]
): Promise<SessionWorld> {
  const files = args.find((arg) => typeof arg === "object");
  const text = args.find((arg) => typeof arg === "string" && arg.includes("\n"));
  const flags = args.filter((arg) => typeof arg === "string" && arg !== text) as string[];
  const leader = new LeaderWorld();
  const folder = await new Folder().write(
    files ?? { "config.yaml": (text as string | undefined) ?? CONFIG_TEXT },
  );
  const process = start(
    ["session", "config.yaml", ...endpointFlag(leader.endpoint), ...flags],
    { cwd: folder.path },
  );
  return new SessionWorld(leader, folder, process);
}

function endpointFlag(endpoint: string): string[] {
  return ["--federated-server-endpoint", endpoint];
}

/** An endpoint that was free a moment ago. */
async function refusedEndpoint(): Promise<string> {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response(),
  );
  const { port } = server.addr;
  await server.shutdown();
  return `127.0.0.1:${port}`;
}

function eventsAfterSubmission(entries: readonly { event: SessionEvent }[]): SessionEvent[] {
  return entries.slice(1).map(({ event }) => event);
}
