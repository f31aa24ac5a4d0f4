/** What is refused of continued runs, checkpoints and moved states, and that nothing is changed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Federation } from "../fixtures/federation.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(1, 200);
const config = runConfig({ session: { min_clients: 1, checkpoint_interval: 1 } });

Deno.test("a leader in memory moves to another one, and refuses what it cannot use", async () => {
  await using federation = await Federation.start({
    leaderData: data.leader,
    serverArgs: ["--state", "memory"],
  });
  await federation.startClient(1, data.part(1));
  const session = await federation.session(config, "--json");
  await session.says(/"type":"round_finished"/);
  const id = JSON.parse(session.stdout.split("\n")[0]!).session as string;
  assert.equal(await session.exitCode(), 0, session.printed());

  const refused = async (message: RegExp, ...args: string[]) => {
    const program = federation.ask(...args);
    assert.equal(await program.exitCode(), 2, program.printed());
    assert.match(program.stderr, message);
  };
  const good = join(federation.folder, "checkpoint", `${id}_1.flotilla`);
  const bytes = await Deno.readFile(good);
  const bad = join(federation.folder, "bad.flotilla");
  const inspect = async (content: Uint8Array | string, message: RegExp) => {
    await Deno.writeFile(
      bad,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
    const program = federation.run(["checkpoint", "inspect", bad]);
    assert.equal(await program.exitCode(), 2, program.printed());
    assert.match(program.stderr, message);
  };
  await inspect(bytes.slice(0, bytes.length / 2), /is cut off after \d+ bytes: copy it again/);
  await inspect("<html>", /is not a Flotilla checkpoint/);
  const edited = bytes.slice();
  edited[Math.floor(bytes.length * 0.9)]! ^= 1;
  await inspect(edited, /blobs\/[0-9a-f]+ in it has been changed since it was written/);

  // From the edited file nothing is taken.
  const other = "11111111-2222-4333-8444-555555555555";
  await Deno.writeFile(join(federation.folder, "checkpoint", `${other}_1.flotilla`), edited);
  await refused(/has been changed/, "session", "--restore", "--file", "--session-id", other);
  await refused(/has no checkpoint of it/, ...[
    "session",
    "--revive",
    "--file",
    "--session-id",
    "no",
  ]);
  await refused(/Cannot find session "nobody"/, "session", "--restore", "--session-id", "nobody");
  await refused(/has finished: fork it/, "session", "--restore", "--session-id", id);
  await refused(
    /after round 9 as it has finished 2 rounds/,
    "session",
    "--from",
    id,
    "--round",
    "9",
  );
  await refused(
    /num_training_rounds is 1: set/,
    ...["session", "--from", id, "--round", "1"],
    ...["--set", "server_training_config.num_training_rounds=1"],
  );
  const { status, body } = await federation.api("/execute_command", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      session_id: id,
      federated_learning_config: {},
      ...{ restore: true, revive: false, file: false },
    }),
  });
  assert.equal(status, 409);
  assert.match((body as { message: string }).message, /has finished/);

  const moved = join(federation.folder, "all.flotilla");
  const memory = ["--state", "memory"];
  const done = async (...args: string[]) => {
    const program = federation.ask(...args);
    assert.equal(await program.exitCode(), 0, program.printed());
    return program.stdout;
  };
  assert.match(await done("state", "export", moved, ...memory), /^exported 1 runs/);
  await refused(/as it exists/, "state", "export", moved, ...memory);
  await refused(/1 sessions are there already/, "state", "import", moved, ...memory);
  await refused(/is a Flotilla checkpoint, not a state/, "state", "import", good, ...memory);
  federation.server.kill();
  await federation.server.ended;
  await federation.startServer();
  await federation.clientsActive(1);
  assert.match(await done("state", "import", moved, ...memory), /^imported 1 runs/);
  assert.match(await done("ps"), new RegExp(`${id}.*finished`));
  await done("session", "--from", id, "--round", "1");
});
