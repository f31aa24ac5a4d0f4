import assert from "node:assert/strict";
import { ByteBudget } from "../../src/rpc/byte_budget.ts";
import { takePlace } from "../../src/rpc/place.ts";
import { WINDOW_BYTES } from "../../src/rpc/windows.ts";

Deno.test("takePlace() counts a small transfer whole and a large one as a window", async () => {
  const budget = new ByteBudget(10 * WINDOW_BYTES);
  const [small, large] = [new AbortController(), new AbortController()];
  await takePlace(budget, 1000, small.signal);
  assert.equal(budget.used, 1000);
  await takePlace(budget, 100 * WINDOW_BYTES, large.signal);
  assert.equal(budget.used, 1000 + WINDOW_BYTES);
  small.abort();
  large.abort();
  assert.equal(budget.used, 0);
});

Deno.test("takePlace() lets others in when a transfer takes long", async () => {
  const budget = new ByteBudget(1000);
  const [slow, next] = [new AbortController(), new AbortController()];
  await takePlace(budget, 1000, slow.signal, 5);
  await takePlace(budget, 800, next.signal);
  assert.equal(budget.used, 800);
  slow.abort();
  assert.equal(budget.used, 800);
  next.abort();
});

Deno.test("takePlace() leaves the queue when its transfer ends", async () => {
  const budget = new ByteBudget(1000);
  const [first, second] = [new AbortController(), new AbortController()];
  await takePlace(budget, 1000, first.signal);
  const waiting = takePlace(budget, 1, second.signal);
  second.abort(new Error("over"));
  await assert.rejects(waiting, /over/);
  first.abort();
  assert.equal(budget.used, 0);
});
