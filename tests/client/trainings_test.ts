import assert from "node:assert/strict";
import { Trainings } from "../../src/client/trainings.ts";
import type { FinishedUpdate, TrainJob, TrainProgress } from "../../src/rpc/transport.ts";
import { bytesOf, jobOf, updateOf } from "../contract/edge_fake.ts";

const UPDATE = updateOf(bytesOf(8));

/** Trainings that end when the test says so. */
class World {
  readonly trainings = new Trainings();
  readonly begun: {
    progress(done: number): void;
    finish(update: FinishedUpdate): void;
    fail(error: Error): void;
    readonly signal: AbortSignal;
  }[] = [];

  call(job: TrainJob, signal = new AbortController().signal) {
    const seen: number[] = [];
    const begin = (onProgress: (progress: TrainProgress) => void, over: AbortSignal) => {
      const { promise, resolve, reject } = Promise.withResolvers<FinishedUpdate>();
      this.begun.push({
        progress: (batchesDone) => onProgress({ batchesDone, batchesTotal: 9, loss: null }),
        finish: resolve,
        fail: reject,
        signal: over,
      });
      over.addEventListener("abort", () => reject(over.reason));
      return promise;
    };
    const answer = this.trainings.join(job, begin, (p) => seen.push(p.batchesDone), signal);
    // A call that a test leaves alone may fail.
    answer.catch(() => {});
    return { answer, seen };
  }
}

const job = (own: Partial<TrainJob> = {}) => jobOf("ab".repeat(32), { session: "s", ...own });

Deno.test("Trainings.join() trains one job once, however many calls ask for it", async () => {
  const world = new World();
  const first = world.call(job());
  world.begun[0]!.progress(1);
  const second = world.call(job());
  world.begun[0]!.progress(2);
  world.begun[0]!.finish(UPDATE);
  assert.deepEqual(await Promise.all([first.answer, second.answer]), [UPDATE, UPDATE]);
  assert.deepEqual([first.seen, second.seen], [[1, 2], [2]]);
  assert.equal(world.begun.length, 1);
});

Deno.test("Trainings.join() goes on training when its call breaks off, for the next call", async () => {
  const world = new World();
  const gone = new AbortController();
  const first = world.call(job(), gone.signal);
  gone.abort(new Error("cut"));
  await assert.rejects(first.answer, /cut/);
  assert.equal(world.begun[0]!.signal.aborted, false);
  assert.equal(world.trainings.has(job()), true);
  const second = world.call(job());
  world.begun[0]!.finish(UPDATE);
  assert.equal(await second.answer, UPDATE);
  assert.equal(world.begun.length, 1);
  assert.equal(world.trainings.has(job()), false);
});

Deno.test("Trainings.join() ends what the next job of the session has overtaken", async () => {
  const world = new World();
  const first = world.call(job({ round: 1 }));
  void world.call(job({ round: 2 }));
  await assert.rejects(first.answer, /the leader has moved on/);
  assert.deepEqual(world.begun.map(({ signal }) => signal.aborted), [true, false]);
});

Deno.test("Trainings.join() ends another session's training only if no call waits for it", async () => {
  const world = new World();
  const gone = new AbortController();
  const other = world.call(job({ session: "other" }), gone.signal);
  void world.call(job({ round: 1 }));
  assert.equal(world.begun[0]!.signal.aborted, false);
  gone.abort(new Error("cut"));
  await assert.rejects(other.answer, /cut/);
  void world.call(job({ round: 2 }));
  assert.equal(world.begun[0]!.signal.aborted, true);
});

Deno.test("Trainings.end() ends the trainings of a session", async () => {
  const world = new World();
  const { answer } = world.call(job());
  world.trainings.end("another");
  assert.equal(world.begun[0]!.signal.aborted, false);
  world.trainings.end("s");
  await assert.rejects(answer, /moved on/);
});

Deno.test("Trainings.join() begins anew after a training that failed unseen", async () => {
  const world = new World();
  const gone = new AbortController();
  const first = world.call(job(), gone.signal);
  gone.abort(new Error("cut"));
  await assert.rejects(first.answer, /cut/);
  world.begun[0]!.fail(new Error("out of memory"));
  await new Promise((resolve) => setTimeout(resolve));
  const second = world.call(job());
  world.begun[1]!.finish(UPDATE);
  assert.equal(await second.answer, UPDATE);
});
