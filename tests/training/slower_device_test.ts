import assert from "node:assert/strict";
import { SlowerDevice } from "../../src/training/slower_device.ts";
import { VirtualClock } from "../fixtures/virtual_clock.ts";
import { never } from "./tiny.ts";

/** Lets promises that are due run on. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("SlowerDevice sleeps factor - 1 times what the steps took, and counts it", async () => {
  const clock = new VirtualClock();
  const finished = new SlowerDevice(4, clock, never).finish(0.5);
  let seconds: number | null = null;
  finished.then((all) => seconds = all);
  clock.advance(1499);
  await settled();
  assert.equal(seconds, null);
  clock.advance(1);
  assert.equal(await finished, 2);
});

Deno.test("SlowerDevice does not sleep where it is as fast as the machine", async () => {
  const device = new SlowerDevice(1, new VirtualClock(), never);
  const told: number[] = [];
  device.tell(3, () => told.push(3));
  assert.deepEqual(told, [3]);
  assert.equal(await device.finish(7), 7);
  assert.equal(device.ownSeconds(9), 9);
});

Deno.test("SlowerDevice tells of progress as if each step had taken factor times as long", async () => {
  const clock = new VirtualClock();
  const device = new SlowerDevice(3, clock, never);
  const told: string[] = [];
  const note = (what: string) => () => told.push(`${what} at ${clock.monotonicMs()}`);
  // Steps take from 0 to 200 ms here, so until 600 ms there.
  clock.advance(100);
  device.tell(0.1, note("half"));
  clock.advance(100);
  device.tell(0.2, note("all"));
  const finished = device.finish(0.2).then(note("finished"));
  for (let ms = 200; ms < 700; ms += 50) {
    await settled();
    clock.advance(50);
  }
  await finished;
  assert.deepEqual(told, ["half at 300", "all at 600", "finished at 600"]);
});

Deno.test("SlowerDevice shares a time limit between steps and sleep", () => {
  const device = new SlowerDevice(4, new VirtualClock(), never);
  assert.equal(device.ownSeconds(10), 2.5);
  assert.equal(device.ownSeconds(null), null);
});

Deno.test("SlowerDevice ends its sleep with the signal's reason, and tells nothing any more", async () => {
  const clock = new VirtualClock();
  const abort = new AbortController();
  const device = new SlowerDevice(10, clock, abort.signal);
  device.tell(1, () => assert.fail("told after the end"));
  const finished = device.finish(1);
  await clock.someoneSleeps();
  const reason = new Error("stopped");
  abort.abort(reason);
  await assert.rejects(finished, (error) => error === reason);
  clock.advance(60_000);
  await settled();
});
