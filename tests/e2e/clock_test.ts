/** Clocks that jump by an hour, as after a wrong setting or when a virtual machine wakes up. */
import assert from "node:assert/strict";
import { Federation } from "../fixtures/federation.ts";
import { HOUR_MS, setClock, WITH_JUMPING_CLOCK } from "../fixtures/jump_clock.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 300);
const CONFIG = runConfig({
  server: { num_training_rounds: 4 },
  client: { batch_size: 1, epochs: 20, max_mini_batches: 1500 },
});

/** What sets clocks while the clients are in a round. */
type Jump = (folder: string, round: number) => Promise<void>;

async function run(jump: Jump): Promise<{ weights: string; spanMs: number }> {
  await using federation = await Federation.start({
    command: WITH_JUMPING_CLOCK,
    serverConfig: {
      comm_config: { mqtt: { mqtt_heartbeat_interval_s: 1, max_heartbeat_miss_threshold: 5 } },
    },
  });
  const [first] = await Promise.all([1, 2].map((n) => federation.startClient(n, data.part(n))));
  const session = await federation.session(CONFIG, "--json");
  for (const round of [1, 2, 3, 4]) {
    await first!.says(new RegExp(`Training MLP on MNIST, round ${round}\n`));
    await jump(federation.folder, round);
  }
  assert.equal(await session.exitCode(), 0, session.printed());
  const { final, rounds } = await federation.results();
  for (const { failures, replaced, seconds } of rounds) {
    assert.deepEqual([failures, replaced], [[], []]);
    assert.ok(seconds >= 0 && seconds < 600, `a round takes ${seconds} s`);
  }
  assert.doesNotMatch(federation.server.stderr, /inactive|is gone|client_failed/);
  assert.equal([...first!.stderr.matchAll(/Training MLP/g)].length, 4, "nothing is repeated");
  const times = session.stdout.trim().split("\n").map((line) => JSON.parse(line).at ?? null)
    .filter((at) => at !== null);
  return { weights: final.weights_id, spanMs: Math.max(...times) - Math.min(...times) };
}

const calm = run(() => Promise.resolve());

for (const whose of ["server", "client"] as const) {
  Deno.test(`a run goes on undisturbed when the clock of its ${whose} jumps by an hour either way`, async () => {
    const offMs = [0, HOUR_MS, -HOUR_MS, 0, -HOUR_MS];
    const jumped = await run((folder, round) => setClock(folder, whose, offMs[round]!));
    assert.equal(jumped.weights, (await calm).weights);
    if (whose === "server") assert.ok(jumped.spanMs > 1.9 * HOUR_MS, "the journal has the jumps");
  });
}
