/** Clients that come when they come: before the leader, and after the run was submitted. */
import assert from "node:assert/strict";
import { Federation } from "../fixtures/federation.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 60);

Deno.test("a run waits for min_clients; those before the leader and late ones take part", async () => {
  await using federation = await Federation.prepare({ leaderData: data.leader });
  const early = await federation.launchClient(1, data.part(1));
  await early.says(new RegExp(`Cannot reach the MQTT broker on localhost:${federation.mqttPort}`));
  await federation.startServer();
  await federation.clientsActive(1);

  const session = await federation.session(runConfig());
  await session.says(/waiting for clients: 1 of 2 are there/);
  assert.doesNotMatch(session.stdout, /round 1\/2 started/);
  await federation.startClient(2, data.part(2));
  assert.equal(await session.exitCode(), 0, session.printed());
  assert.match(session.stdout, /round 1\/2 started: workstation_1, workstation_2/);
  const { status, rounds } = await federation.results();
  assert.equal(status, "finished");
  assert.deepEqual(
    rounds.map(({ updates }: { updates: unknown[] }) => updates.length),
    [2, 2],
  );
});
