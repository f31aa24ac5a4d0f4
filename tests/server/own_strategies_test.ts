/** Runs whose strategies are the user's own code: submitted, run, refused, resumed. */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/core/errors.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import { configOf, SumClient } from "../session/world.ts";
import { HeldClient, Leader } from "./sessions_world.ts";

/** The largest of all weights, and a count of the rounds. */
const LARGEST = `
export const initial = () => ({ rounds: 0 });
export async function aggregate({ updates, read, state }: any, _args: unknown, result: Float32Array) {
  result.fill(-Infinity);
  for (const update of updates) {
    const values: Float32Array = await read(update, 0, result.length);
    values.forEach((value, i) => result[i] = Math.max(result[i]!, value));
  }
  return { rounds: state.rounds + 1 };
}`;
/** The clients in turn. */
const IN_TURN = `
export function select({ round, candidates }, state) {
  return { train: [candidates[round % candidates.length].id], state };
}`;

function configWith(session: Record<string, unknown>, rounds = 2) {
  const config = configOf({ server: { num_training_rounds: rounds } });
  return { ...config, session_config: { ...config.session_config, ...session } };
}

const clients = () => [new SumClient("u1", "c_1", 100, 1), new SumClient("u2", "c_2", 300, 5)];

Deno.test("Sessions runs an aggregator and a selection of a user's own", async () => {
  const leader = new Leader({ clients: clients() });
  const id = await leader.sessions.submit({
    config: configWith({ aggregator: "./largest.ts", client_selection: "./in_turn.js" }),
    modelPackage: null,
    strategies: { "./largest.ts": LARGEST, "./in_turn.js": IN_TURN, "./other.ts": "unused" },
  });
  await leader.events(id);
  const state = await leader.sessions.get(id);
  assert.deepEqual([state.status, state.reason], ["finished", null]);
  assert.deepEqual(state.rounds.map(({ selected }) => selected[0]!.name), ["c_2", "c_1"]);
  assert.deepEqual(state.aggregatorState, { rounds: 2 });
  const bytes = await leader.store.blobs.get(state.weights!);
  // The first weight starts in [0, 1), then one client adds 5 and the other 1.
  assert.equal(Math.floor(decodeWeights(bytes!).values[0]!), 6);
  await leader.sessions.collectGarbage(false);
  assert.equal(await leader.store.blobs.has(state.strategies!), true, "a fork may need the code");
  await leader.sessions.close();
});

Deno.test("Sessions forks a run with its own strategies, and with others that are sent", async () => {
  const leader = new Leader({ clients: clients() });
  const { sessions } = leader;
  const config = configWith({ aggregator: "./largest.ts", keep_rounds: 2 }, 3);
  const run = await sessions.submit({
    config,
    modelPackage: null,
    strategies: { "./largest.ts": LARGEST },
  });
  await leader.events(run);
  const { weights } = await sessions.get(run);
  const same = await sessions.fork(run, { round: 2, config: null });
  await leader.events(same);
  assert.equal((await sessions.get(same)).weights, weights);
  assert.deepEqual((await sessions.get(same)).aggregatorState, { rounds: 3 });
  const other = configWith({ aggregator: "./still.js" }, 3);
  await assert.rejects(
    sessions.fork(run, { round: 2, config: other }),
    /"\.\/still\.js", whose text/,
  );
  const still = await sessions.fork(run, {
    round: 2,
    config: other,
    strategies: {
      "./still.js":
        "export function aggregate({ global }, args, result) { result.set(global.values); }",
    },
  });
  await leader.events(still);
  const forked = await sessions.get(still);
  assert.deepEqual([forked.status, forked.reason], ["finished", null]);
  assert.equal(forked.rounds[2]!.finished!.weights, forked.rounds[1]!.finished!.weights);
  await sessions.close();
});

Deno.test("Sessions refuses a run whose own strategy did not come, or is none", async () => {
  const leader = new Leader({ clients: clients() });
  const submit = (strategies: Record<string, string>) =>
    leader.sessions.submit({
      config: configWith({ aggregator: "./own.js" }),
      modelPackage: null,
      strategies,
    });
  const refused: [Record<string, string>, RegExp][] = [
    [{}, /session_config\.aggregator names the file "\.\/own\.js", whose text did not come/],
    [{ "./own.js": "export const x = 1;" }, /^\.\/own\.js session_config\.aggregator exports no /],
    [{ "./own.js": "export function" }, /^\.\/own\.js session_config\.aggregator cannot be loaded/],
  ];
  for (const [strategies, message] of refused) {
    await assert.rejects(submit(strategies), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, message);
      return true;
    });
  }
  assert.deepEqual(await leader.sessions.list(), []);
  await leader.sessions.close();
});

Deno.test("Sessions fails a run whose own strategy misbehaves, and runs the next", async () => {
  const leader = new Leader({ clients: clients() });
  const run = async (body: string) => {
    const id = await leader.sessions.submit({
      config: configWith({ aggregator: "./own.js" }),
      modelPackage: null,
      strategies: {
        "./own.js": `export async function aggregate({ updates, read }, args, result) { ${body} }`,
      },
    });
    await leader.events(id);
    return (await leader.sessions.get(id)).reason;
  };
  assert.match((await run("throw new Error('lost');"))!, /aggregate\(\) of .*own\.js: lost$/);
  assert.match((await run("result[1] = NaN;"))!, /own\.js gives: weight 1 is NaN$/);
  assert.match((await run("for (;;);"))!, /it takes over 5 s$/);
  assert.match((await run("Deno.readTextFileSync('/etc/hosts');"))!, /without files and network/);
  assert.equal(await run("result.set(await read(updates[0], 0, result.length));"), null);
  await leader.sessions.close();
});

Deno.test("Sessions resumes a run with the code of its own strategies", async () => {
  const store = openMemoryStore();
  const held = new HeldClient();
  const first = new Leader({ store, clients: [held] });
  const id = await first.sessions.submit({
    config: configWith({ aggregator: "./largest.ts" }),
    modelPackage: null,
    strategies: { "./largest.ts": LARGEST },
  });
  await held.atWork.first("the first round");
  await first.sessions.close();
  const again = new HeldClient();
  again.letGo();
  const second = new Leader({ store, clients: [again] });
  await second.sessions.resume();
  await second.events(id);
  const state = await second.sessions.get(id);
  assert.deepEqual([state.status, state.reason], ["finished", null]);
  assert.deepEqual(state.aggregatorState, { rounds: 2 });
  await second.sessions.close();
});
