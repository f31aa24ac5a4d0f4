/** Runs with each selection strategy, with few clients or clients that fail: none waits for ever. */
import assert from "node:assert/strict";
import * as v from "valibot";
import { aggregators } from "../../src/aggregation/registry.ts";
import { runSession } from "../../src/session/engine.ts";
import { SELECTOR_NAMES, type SelectorName } from "../../src/selection/registry.ts";
import type { SessionState } from "../../src/session/state.ts";
import { configOf, createWorld, SumClient } from "./world.ts";

const ROUNDS = 4;

/** Runs a strategy, with the aggregation that it is made for. */
async function run(
  name: SelectorName,
  clients: readonly SumClient[],
  args: Record<string, unknown> = {},
): Promise<SessionState> {
  const aggregator = name === "fedasync" || name === "fedat" ? name : "fedavg";
  const { context, model } = await createWorld({
    clients,
    config: configOf({
      session: {
        client_selection: name,
        client_selection_args: args,
        aggregator,
        aggregator_args: v.parse(aggregators[aggregator].args, {}),
      },
      server: { num_training_rounds: ROUNDS },
    }),
  });
  return await runSession(
    context,
    () => Promise.resolve(model),
    AbortSignal.timeout(20_000),
  );
}

/** Client n, which adds 1 to each weight or breaks. */
function client(n: number, breaks = false): SumClient {
  const answer = () => Promise.reject(new Error("it broke"));
  return new SumClient(`u${n}`, `c_${n}`, 10, 1, breaks ? answer : undefined);
}

for (const name of SELECTOR_NAMES) {
  Deno.test(`runSession() trains one client alone to the end with ${name}`, async () => {
    const state = await run(name, [client(1)]);
    assert.deepEqual([state.status, state.reason], ["finished", null]);
    const trained = state.rounds.map(({ updates }) => updates.map(({ client }) => client.name));
    assert.deepEqual(trained, Array.from({ length: ROUNDS }, () => ["c_1"]));
  });

  Deno.test(`runSession() fails with each reason where all clients fail with ${name}`, async () => {
    const state = await run(name, [client(1, true), client(2, true), client(3, true)]);
    assert.equal(state.status, "failed");
    assert.match(
      state.reason!,
      /^Round 4 has 0 updates as min_updates is 1, and rounds 1 to 3 were given up: .*it broke/,
    );
  });

  Deno.test(`runSession() finishes with ${name} though one client of four fails`, async () => {
    const clients = [client(1), client(2, true), client(3), client(4)];
    // A round has others too, so that none is given up.
    const state = await run(name, clients, name === "tifl" ? { num_clients: 4 } : {});
    assert.deepEqual([state.status, state.reason], ["finished", null]);
    assert.ok(state.rounds.every(({ updates }) => updates.length > 0));
    const trained = state.rounds.flatMap(({ updates }) => updates);
    assert.ok(trained.every(({ client }) => client.name !== "c_2"));
  });
}

for (
  const name of [
    "fedat",
    "tifl",
    "tifl_lite",
    "tiered_roundrobin",
    "haccs",
    "haccs_lite",
  ] as const
) {
  Deno.test(`runSession() fails at once where ${name} shall form more groups than clients`, async () => {
    const state = await run(name, [client(1), client(2)], { num_tiers: 3 });
    assert.equal(state.status, "failed");
    assert.match(state.reason!, /^Cannot form 3 groups of 2 clients: .*num_tiers to at most 2/);
    assert.deepEqual(state.rounds, []);
  });
}
