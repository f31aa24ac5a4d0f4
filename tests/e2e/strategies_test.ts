/** Asynchronous, tiered and own strategies between real processes, also through a leader's death. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Federation, type Program } from "../fixtures/federation.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(3, 300);

/** What became of a run of three clients in which something happens. */
async function run(
  config: Record<string, unknown>,
  happens: (federation: Federation, session: Program) => Promise<void> = async () => {},
) {
  await using federation = await Federation.start({ leaderData: data.leader });
  await Promise.all([1, 2, 3].map((n) => federation.startClient(n, data.part(n))));
  const session = await federation.session(config, "--json");
  await happens(federation, session);
  assert.equal(await session.exitCode(), 0, session.printed());
  const events = session.stdout.trim().split("\n").map((line) => JSON.parse(line))
    .filter(({ seq }) => seq !== undefined).map(({ event }) => event);
  return { results: await federation.results(), events };
}

/** Kills the leader once round `round` is open, and starts it again. */
function killIn(round: number) {
  return async (federation: Federation, session: Program) => {
    await session.says(new RegExp(`"type":"round_started","round":${round},`));
    federation.server.kill("SIGKILL");
    await federation.server.ended;
    await federation.startServer();
  };
}

/** The assignments that count, each as client and round. */
function counted(
  rounds: { updates: { name: string; assigned_round?: number }[]; round: number }[],
) {
  return rounds.flatMap(({ updates, round }) =>
    updates.map(({ name, assigned_round }) => `${name} ${assigned_round ?? round}`)
  );
}

const LONGER = { epochs: 20, batch_size: 8 };

Deno.test("an asynchronous run counts each update once though its leader is killed", async () => {
  const { results } = await run(
    runConfig({
      session: {
        min_clients: 3,
        aggregator: "fedasync",
        aggregator_args: { alpha: 0.5, mixing: 0.6 },
        client_selection: "fedasync",
        client_selection_args: { client_fraction: 1 },
      },
      server: { num_training_rounds: 14 },
      client: LONGER,
    }),
    killIn(6),
  );
  assert.equal(results.status, "finished");
  assert.equal(results.rounds.length, 14);
  const all = counted(results.rounds);
  assert.equal(all.length, 14, "each round has one update");
  assert.equal(new Set(all).size, 14, `none counts twice: ${all}`);
  assert.ok(results.final.validation.accuracy > 0.8, `${results.final.validation.accuracy}`);
});

Deno.test("a tiered run goes on after its leader was killed, with tiers from benchmarks", async () => {
  const { results, events } = await run(
    runConfig({
      session: {
        min_clients: 3,
        aggregator: "fedat",
        client_selection: "fedat",
        client_selection_args: { num_tiers: 2, num_clients_selected_per_tier: 1 },
      },
      server: { num_training_rounds: 8 },
      client: LONGER,
      benchmark: { skip_benchmark: false, bench_minibatch_count: 20 },
    }),
    killIn(4),
  );
  assert.equal(results.status, "finished");
  const measured = Object.values(results.benchmarks) as { mini_batches: number }[];
  assert.deepEqual(measured.map(({ mini_batches }) => mini_batches), [20, 20, 20]);
  assert.equal(events.filter(({ type }) => type === "client_benchmarked").length, 3);
  const all = counted(results.rounds);
  assert.equal(new Set(all).size, all.length);
  assert.ok(results.final.validation.accuracy > 0.8, `${results.final.validation.accuracy}`);
});

Deno.test("a strategy of a user's own runs as it was written to start from", async () => {
  await using federation = await Federation.start({ leaderData: data.leader });
  await Promise.all([1, 2, 3].map((n) => federation.startClient(n, data.part(n))));
  for (const [name, kind] of [["mean", "aggregator"], ["some", "client_selection"]] as const) {
    const made = federation.run(["new", "strategy", name, "--kind", kind]);
    assert.equal(await made.exitCode(), 0, made.printed());
  }
  const session = (own: Record<string, unknown>) =>
    runConfig({ session: { min_clients: 3, ...own }, client: { epochs: 3 } });
  const resultsOf = ({ stdout }: Program) =>
    federation.results(stdout.match(/^session (\S+)/)![1]!);
  const plain = await federation.session(session({}));
  assert.equal(await plain.exitCode(), 0, plain.printed());
  const expected = await resultsOf(plain);
  const own = await federation.session(session({ aggregator: "./mean.ts" }));
  assert.equal(await own.exitCode(), 0, own.printed());
  assert.equal((await resultsOf(own)).final.weights_id, expected.final.weights_id);
  const chosen = await federation.session(
    session({ client_selection: "./some.ts", client_selection_args: { clients: 1 } }),
  );
  assert.equal(await chosen.exitCode(), 0, chosen.printed());
  const { rounds } = await resultsOf(chosen);
  assert.deepEqual(rounds.map(({ updates }: { updates: unknown[] }) => updates.length), [1, 1]);

  await Deno.writeTextFile(
    join(federation.folder, "bad.ts"),
    "export function aggregate(): void { Deno.readTextFileSync('/etc/hosts'); }",
  );
  const bad = await federation.session(session({ aggregator: "./bad.ts" }));
  assert.equal(await bad.exitCode(), 1);
  assert.match(bad.printed(), /Cannot use aggregate\(\) of the strategy \.\/bad\.ts: it asks for /);
  const missing = await federation.session(session({ aggregator: "./none.ts" }));
  assert.equal(await missing.exitCode(), 2);
  assert.match(
    missing.printed(),
    /session_config\.aggregator cannot be "\.\/none\.ts": there is no/,
  );
  const after = await federation.session(session({}));
  assert.equal(await after.exitCode(), 0, "the leader lives on");
});
