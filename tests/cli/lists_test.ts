/** `ps`, `clients`, `logs`, `stop` and `config` as real processes against a real REST interface. */
import assert from "node:assert/strict";
import { finishedRun, givenUpRun } from "../fixtures/recorded_run.ts";
import { client, parseConfig } from "../server/rest/fake_service.ts";
import { CONFIG_TEXT, Folder, LeaderWorld, run, start } from "./leader_world.ts";

const CONFIG = parseConfig({
  server_training_config: { num_training_rounds: 3 },
  client_training_config: { model_id: "MLP", dataset: "MNIST" },
});

Deno.test("flotilla ps lists runs with status, rounds and accuracy", async () => {
  await using world = new LeaderWorld();
  const empty = await run(["ps", ...at(world)]);
  assert.equal(empty.stdout, `no runs yet: submit one with "flotilla session config.yaml"\n`);
  await submit(world);
  world.service.add("session-1", ...events());
  await submit(world);
  const { code, stdout } = await run(["ps", ...at(world)]);
  assert.equal(code, 0);
  const [titles, first, second] = stdout.split("\n");
  assert.match(titles!, /^ID +STATUS +ROUNDS +ACCURACY +MODEL +SUBMITTED +TIME$/);
  assert.match(first!, /^session-1 +finished +3\/3 +93\.12 % +MLP +1970-01-01 00:00:01 +0\.00 s$/);
  assert.match(second!, /^session-2 +queued +0\/3 +- +MLP/);
});

Deno.test("flotilla ps counts rounds that were given up for themselves", async () => {
  await using world = new LeaderWorld();
  await submit(world);
  world.service.add("session-1", ...events(givenUpRun));
  const { stdout } = await run(["ps", ...at(world)]);
  assert.match(stdout.split("\n")[1]!, /^session-1 +finished +1\/3, 1 given up +88\.00 %/);
});

Deno.test("flotilla ps --json prints an object a run", async () => {
  await using world = new LeaderWorld();
  await submit(world);
  await submit(world);
  const { stdout } = await run(["ps", "--json", ...at(world)]);
  const ids = stdout.trim().split("\n").map((line) => JSON.parse(line).session_id);
  assert.deepEqual(ids, ["session-1", "session-2"]);
});

Deno.test("flotilla ps shows a run whose journal cannot be read, and why", async () => {
  await using world = new LeaderWorld();
  await submit(world);
  world.service.damaged = [{ id: "damaged-1", reason: "entry 3 is not JSON" }];
  const { code, stdout } = await run(["ps", ...at(world)]);
  assert.equal(code, 0);
  const [, , second, why] = stdout.split("\n");
  assert.match(second!, /^damaged-1 +unreadable( +-){5}$/);
  assert.equal(why, "damaged-1 cannot be read: entry 3 is not JSON");
  const json = await run(["ps", "--json", ...at(world)]);
  assert.deepEqual(JSON.parse(json.stdout.trim().split("\n")[1]!), {
    session_id: "damaged-1",
    reason: "entry 3 is not JSON",
    status: "unreadable",
  });
});

Deno.test("flotilla clients lists what a client is, has and holds", async () => {
  await using world = new LeaderWorld();
  world.service.clientList = [
    { ...client(1), lastHeartbeat: Date.now(), models: { MLP: "0123456789abcdef" } },
    { ...client(2, "lost"), lastHeartbeat: Date.now() - 7_300_000 },
  ];
  const { stdout } = await run(["clients", ...at(world)]);
  const [, first, second] = stdout.split("\n");
  assert.match(
    first!,
    /^workstation_1 +id-1 +127\.0\.0\.1:50053 +active +\d+\.\d\d s ago +MNIST \(6,000\) +x86_64, 2 cores +MLP@01234567$/,
  );
  assert.match(second!, /^workstation_2 +id-2 .* lost +2 h 1 min ago .* -$/);
});

Deno.test("flotilla clients says how to start one where there is none", async () => {
  await using world = new LeaderWorld();
  world.service.clientList = [];
  const { code, stdout } = await run(["clients", ...at(world)]);
  assert.equal(code, 0);
  assert.match(stdout, /flotilla client --client-num 1/);
});

Deno.test("flotilla logs prints what has happened so far and ends", async () => {
  await using world = new LeaderWorld();
  await submit(world);
  world.service.add("session-1", ...events().slice(0, 3));
  const { code, stdout } = await run(["logs", "sess", ...at(world)]);
  assert.equal(code, 0);
  assert.deepEqual(stdout.trim().split("\n"), [
    "1970-01-01T00:00:01.000Z submitted: model MLP, 3 rounds, seed 1",
    "1970-01-01T00:00:01.000Z started: 101,770 parameters",
    "1970-01-01T00:00:01.000Z round 1/3 started: workstation_1, workstation_2",
    "1970-01-01T00:00:01.000Z round 1/3 workstation_1: 6,000 samples, loss 0.9000, " +
    "accuracy 75.00 %, 0.90 s, 407.4 kB down, 407.1 kB up",
  ]);
});

Deno.test("flotilla logs --follow goes on to the end of the run", async () => {
  await using world = new LeaderWorld();
  await submit(world);
  await using process = start(["logs", "session-1", "--follow", ...at(world)]);
  await process.printed("submitted");
  world.service.add("session-1", ...events());
  assert.equal(await process.exit(), 0);
  assert.match(process.stdout, /^finished: 3 rounds/m);
});

Deno.test("flotilla logs and stop name a run that the server does not know", async () => {
  await using world = new LeaderWorld();
  for (const command of ["logs", "stop"]) {
    const { code, stderr } = await run([command, "nobody", ...at(world)]);
    assert.equal(code, 2);
    assert.match(stderr, /^error: Cannot find session "nobody"/);
  }
});

Deno.test("flotilla stop ends a run", async () => {
  await using world = new LeaderWorld();
  await submit(world);
  const { code, stdout } = await run(["stop", "session-1", ...at(world)]);
  assert.equal(code, 0);
  assert.equal(stdout, "session session-1 is stopped after 0 of 3 rounds\n");
  assert.equal((await world.service.get("session-1")).status, "stopped");
});

Deno.test("flotilla config --schema prints JSON Schema", async () => {
  const { code, stdout } = await run(["config", "--schema", "session"]);
  assert.equal(code, 0);
  assert.ok("client_training_config" in JSON.parse(stdout).properties);
});

Deno.test("flotilla config --check accepts a valid file and says what is wrong with another", async () => {
  await using folder = await new Folder().write({
    "good.yaml": CONFIG_TEXT,
    "bad.yaml": `${CONFIG_TEXT}  epoch: 1\n`,
  });
  const good = await run(["config", "--check", "good.yaml"], { cwd: folder.path });
  assert.equal(good.code, 0, good.stderr);
  const bad = await run(["config", "--check", "bad.yaml"], { cwd: folder.path });
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /^error: bad\.yaml:8:3 client_training_config\.epoch .*"epochs"/);
});

Deno.test("flotilla config without a flag says which are needed", async () => {
  const { code, stderr } = await run(["config"]);
  assert.equal(code, 2);
  assert.match(stderr, /--schema KIND or --check FILE/);
});

function at(world: LeaderWorld): string[] {
  return ["--federated-server-endpoint", world.endpoint];
}

async function submit(world: LeaderWorld): Promise<void> {
  await world.service.submit({ config: CONFIG, modelPackage: null });
}

function events(recorded = finishedRun) {
  return recorded.slice(1).map(({ event }) => event);
}
