import assert from "node:assert/strict";
import { systemClock } from "../../src/core/clock.ts";
import { countedSignal } from "../fixtures/counted_signal.ts";

Deno.test("systemClock.sleep() takes its time on the monotonic clock", async () => {
  const before = systemClock.monotonicMs();
  await systemClock.sleep(20);
  // Timers count whole milliseconds.
  assert.ok(systemClock.monotonicMs() - before >= 19);
});

Deno.test("systemClock.sleep() rejects with the reason of a signal that has aborted", async () => {
  const reason = new Error("enough");
  await assert.rejects(systemClock.sleep(60_000, AbortSignal.abort(reason)), reason);
});

Deno.test("systemClock.sleep() rejects as soon as the signal aborts and leaves no timer", async () => {
  // The test runner reports a timer that is left.
  const controller = new AbortController();
  const slept = systemClock.sleep(60_000, controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(slept, reason);
});

Deno.test("systemClock.sleep() takes its listener from the signal when it has slept", async () => {
  const { signal, listeners } = countedSignal();
  const slept = systemClock.sleep(1, signal);
  assert.equal(listeners(), 1);
  await slept;
  assert.equal(listeners(), 0);
});

Deno.test("systemClock.sleep() does not end at once when it shall last longer than a timer can", async () => {
  const controller = new AbortController();
  const slept = systemClock.sleep(2 ** 31 + 1000, controller.signal);
  const first = await Promise.race([slept, systemClock.sleep(50).then(() => "still asleep")]);
  assert.equal(first, "still asleep");
  controller.abort(new Error("enough"));
  await assert.rejects(slept, /enough/);
});
