/** Clients and leaders killed with -9 around a training: what was trained is not trained again. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Federation, type Program } from "../fixtures/federation.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 300);
/** Training of a second or two, so that there is time to kill somebody. */
const CONFIG = runConfig({ client: { batch_size: 1, epochs: 20, max_mini_batches: 3000 } });
const TRAINING = /Training MLP on MNIST, round 1\n/g;

async function run(
  happens: (federation: Federation, clients: Program[]) => Promise<void>,
): Promise<string> {
  await using federation = await Federation.start();
  const clients = await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  const session = await federation.session(CONFIG, "--json");
  await happens(federation, clients);
  assert.equal(await session.exitCode(), 0, session.printed());
  const results = await federation.results();
  assert.deepEqual(results.rounds.map(({ failures }: { failures: unknown[] }) => failures), [
    [],
    [],
  ]);
  for (const n of [1, 2]) {
    const left = await Array.fromAsync(
      Deno.readDir(join(federation.folder, `temp_${n}`, "results")),
    );
    assert.deepEqual(left, [], "a client keeps nothing of a session that has ended");
  }
  return results.final.weights_id;
}

const calm = run(() => Promise.resolve());

Deno.test("a result that a client had finished is delivered after both it and the leader were killed", async () => {
  const trained: Program[] = [];
  const disturbed = await run(async (federation, [first, second]) => {
    await Promise.all([first!, second!].map((client) => client.says(TRAINING)));
    federation.server.kill("SIGKILL");
    await Promise.all([first!, second!].map((client) => client.says(/Trained round 1/)));
    second!.kill("SIGKILL");
    await second!.ended;
    const again = await federation.launchClient(2, data.part(2));
    await federation.startServer();
    await again.says(/Delivering round 1 again, trained before/);
    await first!.says(/Delivering round 1 again, trained before/);
    trained.push(first!, second!, again);
  });
  assert.equal(disturbed, await calm);
  const times = trained.map(({ stderr }) => [...stderr.matchAll(TRAINING)].length);
  assert.deepEqual(times, [1, 1, 0]);
});

Deno.test("a training goes on while its leader is killed, and the new leader joins it", async () => {
  let first: Program;
  const disturbed = await run(async (federation, clients) => {
    first = clients[0]!;
    await first.says(TRAINING);
    federation.server.kill("SIGKILL");
    await federation.server.ended;
    await federation.startServer();
  });
  assert.equal(disturbed, await calm);
  assert.equal([...first!.stderr.matchAll(TRAINING)].length, 1);
});

Deno.test("a client killed in training gets its assignment of the same round again when it is back", async () => {
  const disturbed = await run(async (federation, [first]) => {
    await first!.says(TRAINING);
    first!.kill("SIGKILL");
    await first!.ended;
    const again = await federation.launchClient(1, data.part(1));
    await again.says(TRAINING);
  });
  assert.equal(disturbed, await calm);
});

Deno.test("a result that was torn on the disk is found out and trained again", async () => {
  const disturbed = await run(async (federation, clients) => {
    const first = clients[0]!;
    await first.says(TRAINING);
    federation.server.kill("SIGKILL");
    await first.says(/Trained round 1/);
    first.kill("SIGKILL");
    await first.ended;
    const folder = join(federation.folder, "temp_1", "results");
    const [{ name }] = await Array.fromAsync(Deno.readDir(folder)) as [Deno.DirEntry];
    await Deno.truncate(join(folder, name), 1000);
    const again = await federation.launchClient(1, data.part(1));
    await federation.startServer();
    await again.says(/Dropped the kept result of round 1, training again: its weights/);
    await again.says(TRAINING);
  });
  assert.equal(disturbed, await calm);
});
