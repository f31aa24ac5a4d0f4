import fc from "fast-check";
import assert from "node:assert/strict";
import { ByteBudget } from "../../src/rpc/byte_budget.ts";

const quiet = new AbortController().signal;

Deno.test("ByteBudget serves in order of asking", async () => {
  const budget = new ByteBudget(10);
  const served: string[] = [];
  const ask = (name: string, bytes: number, signal = quiet) =>
    budget.acquire(bytes, signal).then((release) => {
      served.push(name);
      return release;
    });
  const first = await ask("first", 8);
  const large = ask("large", 9);
  const small = ask("small", 1);
  await settled();
  assert.deepEqual(served, ["first"]);
  first();
  (await small)();
  (await large)();
  assert.deepEqual(served, ["first", "large", "small"]);
  assert.equal(budget.used, 0);
});

Deno.test("ByteBudget lets one request larger than itself through, alone", async () => {
  const budget = new ByteBudget(10);
  const release = await budget.acquire(1000, quiet);
  assert.equal(budget.used, 10);
  let next = false;
  const waiting = budget.acquire(1, quiet).then((done) => {
    next = true;
    done();
  });
  await settled();
  assert.equal(next, false);
  release();
  await waiting;
});

Deno.test("ByteBudget gives back once however often it is told", async () => {
  const budget = new ByteBudget(10);
  await budget.acquire(4, quiet);
  const release = await budget.acquire(4, quiet);
  release();
  release();
  assert.equal(budget.used, 4);
});

Deno.test("ByteBudget forgets a request whose signal aborts, and serves those behind", async () => {
  const budget = new ByteBudget(10);
  await budget.acquire(5, quiet);
  const abort = new AbortController();
  const impatient = budget.acquire(8, abort.signal);
  const behind = budget.acquire(5, quiet);
  abort.abort(new Error("enough"));
  await assert.rejects(impatient, /enough/);
  await behind;
  assert.equal(budget.used, 10);
  await assert.rejects(budget.acquire(1, AbortSignal.abort(new Error("before"))), /before/);
  assert.equal(budget.used, 10);
});

Deno.test("ByteBudget never exceeds its limit and always comes back to nothing", async () => {
  const requests = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 20 }), requests, async (limit, all) => {
      const budget = new ByteBudget(limit);
      await Promise.all(all.map(async (bytes) => {
        const release = await budget.acquire(bytes, quiet);
        assert(budget.used <= limit);
        await settled();
        release();
      }));
      assert.equal(budget.used, 0);
    }),
  );
});

Deno.test("ByteBudget refuses a limit below one byte", () => {
  assert.throws(() => new ByteBudget(0), RangeError);
  assert.throws(() => new ByteBudget(NaN), RangeError);
});

/** All that can happen without further ado has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
