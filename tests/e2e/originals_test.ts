/**
 * The original's session configs, one for each strategy, as they are but for the number of rounds and
 * of benchmarked mini-batches: between real processes, on a small uneven partition of real MNIST.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Federation } from "../fixtures/federation.ts";
import { makeMnist } from "./mnist.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/strategies", import.meta.url));
const CLIENTS = 4;
const BENCHED_BATCHES = 6;

/** Each config: rounds to run, and how many clients train in each; null where speed decides. */
const RUNS: Readonly<Record<string, readonly (number | null)[]>> = {
  fedavg: [2, 2],
  reliable_fedavg: [2, 2],
  random_subset: [2, 2],
  all_clients: [4, 4],
  odd_even: [2, 2],
  high_loss: [4, 2],
  low_loss: [4, 2],
  probabilistic_high_loss: [2, 2],
  fedasync: [1, 1, 1],
  // Of four clients in three tiers one has two, of which two may train together.
  fedat: [null, null, null],
  tifl: [null, null],
  tifl_lite: [4, null],
  tiered_roundrobin: [4, 1],
  haccs: [4, 2],
  haccs_lite: [2, 2],
  haccs_lite_deprecated: [2, 2],
  fedprox: [2, 2],
};

/** Those that go by speed, so that the benchmark is made. */
const BENCHED = ["fedat", "tifl", "tifl_lite", "tiered_roundrobin", "haccs"];

/** Starts a federation with a part of MNIST for each of four clients in one process. */
async function started(): Promise<Federation> {
  const data = await makeMnist(1, 600);
  const parts = join(data.leader, "..", "uneven");
  const federation = await Federation.prepare({ leaderData: join(parts, "leader") });
  const made = federation.run([
    ...["data", "partition", "--from", join(data.part(1), "MNIST"), "--mode", "dirichlet"],
    ...["--alpha", "1", "--min-samples", "40", "--clients", `${CLIENTS}`, "--out", parts],
  ]);
  assert.equal(await made.exitCode(), 0, made.printed());
  await federation.startServer();
  await federation.startClient(1, join(parts, "part_{n}"), "--count", `${CLIENTS}`);
  await federation.clientsActive(CLIENTS);
  return federation;
}

Deno.test("the original's config of every strategy runs to its end and says what has no effect", async (t) => {
  const examples = [...Deno.readDirSync(EXAMPLES)].map(({ name }) => name.replace(".yaml", ""));
  assert.deepEqual(examples.sort(), Object.keys(RUNS).sort());
  await using federation = await started();
  for (const [name, sizes] of Object.entries(RUNS)) {
    await t.step(name, async () => {
      const session = federation.ask(
        ...["session", join(EXAMPLES, `${name}.yaml`)],
        ...["--set", `server_training_config.num_training_rounds=${sizes.length}`],
        ...["--set", `benchmark_config.bench_minibatch_count=${BENCHED_BATCHES}`],
      );
      assert.equal(await session.exitCode(), 0, session.printed());
      const notes = session.stderr.split("\n").filter((line) => line.startsWith("note: "));
      const inVain = BENCHED.includes(name)
        ? ["client_training_config.model_class", "benchmark_config.model_class"]
        : ["client_training_config.model_class", "benchmark_config"];
      assert.deepEqual(notes.map((note) => note.split(" ")[2]), inVain);

      const results = await federation.results(session.stdout.match(/^session (\S+)/)![1]!);
      assert.equal(results.status, "finished");
      const trained = results.rounds.map(({ updates }: { updates: unknown[] }) => updates.length);
      sizes.forEach((size, round) => {
        if (size !== null) assert.equal(trained[round], size, `${trained}`);
        else assert(trained[round] >= 1 && trained[round] <= 2, `${trained}`);
      });
      assert(Number.isFinite(results.final.validation.accuracy));
      const batches = Object.values(results.benchmarks ?? {}) as { mini_batches: number }[];
      assert.deepEqual(
        batches.map(({ mini_batches }) => mini_batches),
        BENCHED.includes(name) ? new Array(CLIENTS).fill(BENCHED_BATCHES) : [],
      );
      const { proximal_mu: mu } = results.config.client_training_config;
      assert.equal(mu, name === "fedprox" ? 0.1 : 0);
    });
  }

  await t.step("more tiers than clients fail and say what to set", async () => {
    const session = federation.ask(
      ...["session", join(EXAMPLES, "fedat.yaml")],
      ...["--set", "session_config.client_selection_args.num_tiers=9"],
    );
    assert.equal(await session.exitCode(), 1);
    assert.match(
      session.printed(),
      /Cannot form 9 groups of 4 clients: set session_config\.client_selection_args\.num_tiers to at most 4/,
    );
  });
});
