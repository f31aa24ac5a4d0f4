/**
 * Runs whose rounds overlap, cut off at every single write of their leader: the next one loses no
 * update and counts none twice. The weights at the end are worked out from the journal alone.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import * as v from "valibot";
import { fedasync } from "../../src/aggregation/fedasync.ts";
import { fedat } from "../../src/aggregation/fedat.ts";
import type { SessionConfig } from "../../src/config/session_config.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import { collectGarbage } from "../../src/server/garbage.ts";
import { runSession } from "../../src/session/engine.ts";
import type { SessionEntry, UpdateReceived } from "../../src/session/events.ts";
import { keptWeights } from "../../src/session/kept_rounds.ts";
import { fold, type SessionState } from "../../src/session/state.ts";
import { MortalStore, untilDeadOrOver } from "../fixtures/mortal_store.ts";
import { watchedStore } from "../fixtures/watched_store.ts";
import { configOf, createWorld, SumClient, type World } from "./world.ts";

const ROUNDS = 6;
const STEPS: Readonly<Record<string, number>> = { c_1: 1, c_2: 10, c_3: 100 };
/** Turns of the event loop that each client takes to train: the third is slow. */
const TURNS: Readonly<Record<string, number>> = { c_1: 1, c_2: 4, c_3: 12 };

function clients(): SumClient[] {
  return Object.entries(STEPS).map(([name, step], i) =>
    new SumClient(`u${i + 1}`, name, 10, step, async (_job, honest) => {
      for (let turn = 0; turn < TURNS[name]!; turn++) await turnOfTheLoop();
      return honest();
    })
  );
}

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function start({ context, model }: World): Promise<SessionState> {
  return runSession(context, () => Promise.resolve(model), new AbortController().signal);
}

/** The weights after each round, from the first ones on, by what the journal says of the updates. */
type WorkedOut = (rounds: SessionState["rounds"]) => number[];

const trained = (after: readonly number[], { client, round }: UpdateReceived) =>
  after[round - 1]! + STEPS[client.name]!;

const MIXING = 0.5;
const ALPHA = 1;

/** Each update is mixed in, the less the staler. */
function mixed(rounds: SessionState["rounds"]): number[] {
  const after = [0];
  for (const { round, updates } of rounds) {
    const before = after[round - 1]!;
    const share = ({ round: from }: UpdateReceived) => MIXING / (1 + round - from) ** ALPHA;
    const [update, ...others] = updates;
    assert.equal(others.length, 0);
    after.push(before + share(update!) * (trained(after, update!) - before));
  }
  return after;
}

/** Each tier has a model, and of two tiers each counts as much as the other has updated. */
function byTwoTiers(rounds: SessionState["rounds"]): number[] {
  const after = [0];
  const models = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const { updates } of rounds) {
    const tier = updates[0]!.group!;
    assert.ok(updates.every(({ group }) => group === tier));
    const sum = updates.reduce((total, update) => total + trained(after, update), 0);
    models.set(tier, sum / updates.length);
    counts.set(tier, (counts.get(tier) ?? 0) + 1);
    const all = [...counts.values()].reduce((total, count) => total + count, 0);
    const weighed = [...models].map(([one, model]) => {
      return models.size === 1 ? model : (all - counts.get(one)!) / all * model;
    });
    after.push(weighed.reduce((total, model) => total + model, 0));
  }
  return after;
}

/** Runs a session whose first leader dies at a write. @returns whether it came to that write */
async function cutOff(
  config: SessionConfig,
  write: number,
  when: "before" | "after",
  workedOut: WorkedOut,
): Promise<boolean> {
  const { store: kept, left } = watchedStore();
  const mortal = new MortalStore(kept);
  const first = await createWorld({ clients: clients(), config, store: mortal });
  const session = first.journal.id;
  mortal.dieAt(write, when);
  await untilDeadOrOver(mortal, start(first));
  const second = await createWorld({ clients: clients(), config, store: kept, resume: session });
  if (!second.journal.ended) await start(second);
  const entries = await kept.journal.read(session) as SessionEntry[];
  const state = fold(entries)!;
  assert.equal(state.status, "finished");
  assert.equal(state.rounds.length, ROUNDS);
  const received = entries.flatMap(({ event }) => event.type === "update_received" ? [event] : []);
  const nameOf = ({ client, round }: UpdateReceived) => `${client.name} in ${round}`;
  const counted = state.rounds.flatMap(({ updates }) => updates.map(nameOf));
  const open = state.pending.map(nameOf);
  // Each answer is in the journal once, and each counts once or came too late to count.
  assert.deepEqual([...counted, ...open].sort(), [...new Set(received.map(nameOf))].sort());
  assert.equal(received.length, counted.length + open.length);
  const expected = workedOut(state.rounds).at(-1)!;
  const { values } = decodeWeights((await kept.blobs.get(state.weights!))!);
  for (const value of values) assert.ok(Math.abs(value / expected - 1) < 1e-5, `${value}`);
  // As a leader does that comes after a death: an update may be stored that did not come to count.
  const garbage = { blobs: kept.blobs, journals: [second.journal], isQuiet: true, isTrial: false };
  if (mortal.isDead) await collectGarbage(garbage);
  assert.deepEqual((await left()).sort(), [...keptWeights(state)].sort(), "blobs nobody needs");
  if (mortal.isDead) return true;
  // Of a run that is not cut off: rounds overlap, or the test would show nothing.
  assert.ok(state.rounds.some(({ round, updates }) => updates.some((one) => one.round < round)));
  return false;
}

function everyWrite(what: string, session: Record<string, unknown>, workedOut: WorkedOut): void {
  Deno.test(`runSession() loses and doubles no update of ${what} run that is cut off at any write`, async () => {
    const config = configOf({ session, server: { num_training_rounds: ROUNDS } });
    for (const when of ["before", "after"] as const) {
      let write = 1;
      while (await cutOff(config, write, when, workedOut)) write++;
      assert.ok(write > 4 * ROUNDS, `only ${write} writes`);
    }
  });
}

everyWrite("an asynchronous", {
  aggregator: "fedasync",
  aggregator_args: v.parse(fedasync.args, { mixing: MIXING, alpha: ALPHA }),
  client_selection: "fedasync",
}, mixed);

everyWrite("a tiered", {
  aggregator: "fedat",
  aggregator_args: v.parse(fedat.args, {}),
  client_selection: "fedat",
  client_selection_args: { num_tiers: 2 },
}, byTwoTiers);
