import assert from "node:assert/strict";
import { RpcError } from "../../src/core/errors.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import { runSession } from "../../src/session/engine.ts";
import { throughLosses } from "../../src/session/losses.ts";
import { VirtualClock } from "../fixtures/virtual_clock.ts";
import { createWorld, SumClient } from "./world.ts";

const gone = () => new RpcError("unavailable", "nobody answers");

/** Attempts on a virtual clock, in a fleet that never changes. */
function attempts(outcomes: readonly ("ok" | "gone" | "gone at work" | "late" | "refused")[]) {
  const clock = new VirtualClock();
  const times: number[] = [];
  const attempt = (reached: () => void) => {
    const outcome = outcomes[Math.min(times.length, outcomes.length - 1)];
    times.push(clock.monotonicMs());
    if (outcome === "ok") return Promise.resolve("update");
    if (outcome === "gone at work" || outcome === "late") reached();
    if (outcome === "late") return Promise.reject(new RpcError("deadline", "too late"));
    if (outcome === "refused") return Promise.reject(new RpcError("refused", "no"));
    return Promise.reject(gone());
  };
  const start = clock.monotonicMs();
  const answer = throughLosses(attempt, {
    clock,
    fleet: { nextChange: () => new Promise<void>(() => {}) },
    returnMs: 10_000,
    lostSinceMs: null,
    signal: new AbortController().signal,
  }).then((value) => ({ value }), (error) => ({ error }));
  const run = async () => {
    let settled = false;
    void answer.then(() => settled = true);
    while (!settled) {
      await Promise.race([answer, clock.someoneSleeps()]);
      if (!settled) clock.advance(50);
      await new Promise((resolve) => setTimeout(resolve));
    }
    return { ...await answer, seconds: (clock.monotonicMs() - start) / 1000, times };
  };
  return run();
}

Deno.test("throughLosses() attempts again until the client is back", async () => {
  const done = await attempts(["gone at work", "gone", "gone", "ok"]);
  assert.deepEqual(Reflect.get(done, "value"), "update");
  assert.equal(done.times.length, 4);
});

Deno.test("throughLosses() gives up when the client has had its time to come back", async () => {
  const done = await attempts(["gone"]);
  assert.match(String(Reflect.get(done, "error")), /nobody answers/);
  assert.ok(done.seconds >= 10 && done.seconds < 10.6, `after ${done.seconds} s`);
});

Deno.test("throughLosses() gives up on a client that its work kills again and again", async () => {
  const done = await attempts(["gone at work"]);
  assert.match(String(Reflect.get(done, "error")), /nobody answers/);
  assert.equal(done.times.length, 8);
});

Deno.test("throughLosses() repeats neither a refusal nor a training that missed its deadline", async () => {
  for (const outcome of ["refused", "late"] as const) {
    assert.equal((await attempts([outcome])).times.length, 1);
  }
});

Deno.test("runSession() gives a client that dies at work its job again, to the same weights", async () => {
  const run = async (fails: boolean) => {
    let toFail = fails ? 3 : 0;
    const world = await createWorld({
      clients: [new SumClient("u1", "c_1", 1, 1), new SumClient("u2", "c_2", 1, 3)],
      returnMs: 10_000,
      before({ client, name }) {
        if (client === "u2" && name === "train" && toFail-- > 0) throw gone();
      },
    });
    const state = await runSession(
      world.context,
      () => Promise.resolve(world.model),
      new AbortController().signal,
    );
    assert.deepEqual(state.rounds.map(({ failures }) => failures), [[], []]);
    return { state, world };
  };
  const [disturbed, calm] = [await run(true), await run(false)];
  assert.equal(disturbed.state.weights, calm.state.weights);
  // Each round adds the mean of 1 and 3.
  const bytes = await calm.world.store.blobs.get(calm.state.weights!);
  assert.deepEqual([...decodeWeights(bytes!).values], [4, 4, 4]);
});

Deno.test("runSession() releases every client that took part before it journals the end", async () => {
  const client = new SumClient("u1", "c_1", 1, 1);
  const { context, model, journal } = await createWorld({ clients: [client] });
  await runSession(context, () => Promise.resolve(model), new AbortController().signal);
  assert.deepEqual(client.released, [journal.id]);
});
