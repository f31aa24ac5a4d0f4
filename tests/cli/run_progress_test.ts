import assert from "node:assert/strict";
import { advance, nothingYet } from "../../src/cli/run_progress.ts";
import { ANNA, finishedRun } from "../fixtures/recorded_run.ts";
import { following, progress } from "./following.ts";

Deno.test("advance() keeps a client's progress until it has answered", () => {
  const open = following(finishedRun.slice(0, 3));
  const training = advance(open, { kind: "note", note: progress(1, 40, 0.5) });
  assert.equal(training.training[ANNA.id]!.batchesDone, 40);
  const answered = advance(training, { kind: "event", entry: finishedRun[3]! });
  assert.deepEqual(answered.training, {});
});

Deno.test("advance() forgets that it waited once something happens", () => {
  const note = { type: "waiting_for_clients", present: 0, needed: 2 } as const;
  const waiting = advance(nothingYet, { kind: "note", note });
  assert.deepEqual(waiting.waiting, note);
  assert.equal(advance(waiting, { kind: "event", entry: finishedRun[0]! }).waiting, null);
});
