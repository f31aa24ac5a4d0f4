/** Processes that end without a word, by SIGKILL, in the midst of a round. */
import assert from "node:assert/strict";
import { Federation, type Program } from "../fixtures/federation.ts";
import { LONG_TRAINING, makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 300);

Deno.test("a run goes on without a killed client, which comes back as the one it was", async () => {
  await using federation = await Federation.start({
    leaderData: data.leader,
    // A second and two of grace: what a lost client has to come back.
    serverConfig: {
      comm_config: { mqtt: { mqtt_heartbeat_interval_s: 1, max_heartbeat_miss_threshold: 1 } },
    },
  });
  const [, second] = await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  const before = await federation.clients();
  const session = await federation.session(
    runConfig({
      session: { min_clients: 1, min_updates: 1 },
      client: { ...LONG_TRAINING, max_mini_batches: 500 },
    }),
    "--json",
  );
  await session.says(/"type":"progress".*"workstation_2"/);
  const killedAt = performance.now();
  second!.kill("SIGKILL");
  await federation.clientsUntil("workstation_2 lost", ([, two]) => two?.state === "lost");
  const seconds = (performance.now() - killedAt) / 1000;
  assert.ok(seconds < 3, `it took ${seconds} s to see that a client is lost`);

  assert.equal(await session.exitCode(), 0, session.printed());
  const { rounds } = await federation.results();
  const [one, two] = before.map(({ client_id }) => client_id);
  assert.deepEqual(rounds[0].selected, [one, two]);
  assert.deepEqual(rounds[0].updates.map(({ client }: { client: string }) => client), [one]);
  assert.equal(rounds[0].failures.length, 1);
  assert.equal(rounds[0].failures[0].client, two);
  assert.match(rounds[0].failures[0].reason, /\S/);
  assert.deepEqual(rounds[1].selected, [one]);

  await federation.startClient(2, data.part(2));
  await federation.clientsActive(2);
  assert.deepEqual((await federation.clients()).map(({ client_id }) => client_id), [one, two]);
  const again = await federation.session(runConfig());
  assert.equal(await again.exitCode(), 0, again.printed());
  assert.match(again.stdout, /round 2\/2 workstation_2: 285 samples/);
});

Deno.test("a killed leader takes up its run, whose command follows on, to the same bytes", async () => {
  const config = runConfig({
    server: { num_training_rounds: 3 },
    client: { ...LONG_TRAINING, max_mini_batches: 300 },
  });
  const [disturbed, calm] = await Promise.all([
    runWithKilledLeader(config),
    run(config, async () => {}),
  ]);
  assert.equal(disturbed.results.final.weights_id, calm.results.final.weights_id);
  // The command has seen each entry of the journal once, over both connections.
  const seqs = disturbed.entries.map(({ seq }) => seq);
  assert.deepEqual(seqs, seqs.map((_, i) => i + 1));
  assert.equal(disturbed.entries.at(-1)!.event.type, "session_finished");
});

function runWithKilledLeader(config: Record<string, unknown>) {
  return run(config, async (federation, session) => {
    await session.says(/"type":"progress","round":2/);
    federation.server.kill("SIGKILL");
    await federation.server.ended;
    await federation.startServer();
  });
}

/** What became of a run of two clients in which something happens. */
async function run(
  config: Record<string, unknown>,
  happens: (federation: Federation, session: Program) => Promise<void>,
) {
  await using federation = await Federation.start({ leaderData: data.leader });
  await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  const session = await federation.session(config, "--json");
  await happens(federation, session);
  assert.equal(await session.exitCode(), 0, session.stderr);
  const lines = session.stdout.trim().split("\n").map((line) => JSON.parse(line));
  return {
    results: await federation.results(),
    entries: lines.filter((line) => line.seq !== undefined) as Entry[],
  };
}

interface Entry {
  readonly seq: number;
  readonly event: { readonly type: string };
}
