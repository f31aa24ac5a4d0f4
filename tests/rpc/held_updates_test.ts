import assert from "node:assert/strict";
import { HeldUpdates } from "../../src/rpc/held_updates.ts";

const quiet = new AbortController().signal;

Deno.test("HeldUpdates gives an update until it is fetched", async () => {
  const held = new HeldUpdates();
  const bytes = new Uint8Array([1, 2, 3]);
  const holding = held.hold("ab", bytes, quiet);
  assert.equal(held.find("ab"), bytes);
  assert.equal(held.find("ab"), bytes);
  held.fetched("ab");
  await holding;
  assert.throws(() => held.find("ab"), /Cannot give the update "ab" as no open training has it/);
  held.fetched("ab");
});

Deno.test("HeldUpdates drops an update whose training is over", async () => {
  const held = new HeldUpdates();
  const over = new AbortController();
  const holding = held.hold("ab", new Uint8Array(1), over.signal);
  over.abort(new Error("the leader has gone"));
  await assert.rejects(holding, /the leader has gone/);
  assert.throws(() => held.find("ab"));
  await assert.rejects(held.hold("ab", new Uint8Array(1), over.signal), /gone/);
  assert.throws(() => held.find("ab"));
});

Deno.test("HeldUpdates holds equal updates of two trainings until both are fetched", async () => {
  const held = new HeldUpdates();
  const ended: string[] = [];
  const first = held.hold("ab", new Uint8Array(1), quiet).then(() => ended.push("first"));
  const second = held.hold("ab", new Uint8Array(1), quiet).then(() => ended.push("second"));
  held.find("ab");
  held.find("ab");
  held.fetched("ab");
  await second;
  assert.deepEqual(ended, ["second"], "an earlier call may be broken without a sign");
  held.find("ab");
  held.fetched("ab");
  await first;
  assert.throws(() => held.find("ab"));
});
