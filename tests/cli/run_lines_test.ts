import assert from "node:assert/strict";
import { linesOf } from "../../src/cli/run_lines.ts";
import { advance, nothingYet } from "../../src/cli/run_progress.ts";
import type { SessionEvent, StreamItem } from "../../src/session/events.ts";
import {
  ANNA,
  BERT,
  CARL,
  finishedRun,
  givenUpRun,
  journal,
  roundStarted,
  started,
  submitted,
  update,
} from "../fixtures/recorded_run.ts";
import { progress } from "./following.ts";

Deno.test("linesOf() gives a line for each event of a run", () => {
  assert.deepEqual(allLines(finishedRun.map((entry) => ({ kind: "event", entry }))), [
    "submitted: model MLP, 3 rounds, seed 42",
    "started: 101,770 parameters",
    "round 1/3 started: workstation_1, workstation_2",
    "round 1/3 workstation_1: 6,000 samples, loss 0.9000, accuracy 75.00 %, 0.90 s, 407.4 kB down, 407.1 kB up",
    "round 1/3 workstation_2: 2,000 samples, loss 0.6000, accuracy 85.00 %, 0.90 s, 407.4 kB down, 407.1 kB up",
    "round 1/3 finished: loss 0.8250, accuracy 77.50 %, 1.25 s",
    "round 1/3 validated: loss 0.4500, accuracy 88.00 %",
    "round 2/3 started: workstation_1, workstation_2",
    "round 2/3 workstation_1: 6,000 samples, loss 0.4000, accuracy 88.00 %, 0.90 s, 407.1 kB down, 407.1 kB up",
    "round 2/3 workstation_2 failed: the connection was lost",
    "round 2/3 finished: loss 0.4000, accuracy 88.00 %, 1.25 s",
    "round 2/3 validated: loss 0.3000, accuracy 91.50 %",
    "round 3/3 started: workstation_1, workstation_2",
    "round 3/3 workstation_2: 2,000 samples, loss 0.3000, accuracy 92.00 %, 0.90 s, 407.1 kB down, 407.1 kB up",
    "round 3/3 workstation_1: 6,000 samples, loss 0.3400, accuracy 90.00 %, 0.90 s, 407.1 kB down, 407.1 kB up",
    "round 3/3 finished: loss 0.3300, accuracy 90.50 %, 1.25 s",
    "round 3/3 validated: loss 0.2500, accuracy 93.12 %",
    "finished",
  ]);
});

Deno.test("linesOf() tells that a round was given up, and why", () => {
  const lines = allLines(givenUpRun.map((entry) => ({ kind: "event", entry })));
  assert.deepEqual(lines.slice(-3), [
    "round 2/3 workstation_2 failed: the connection was lost",
    "round 2/3 given up: 1 updates as min_updates is 2, the global weights stay as they are; 0.75 s",
    "finished",
  ]);
});

Deno.test("linesOf() tells who was replaced, and by whom", () => {
  const replaced = [
    { client: CARL, reason: "no answer", by: BERT },
    { client: ANNA, reason: "no answer", by: null },
  ];
  assert.deepEqual(lastLines({ ...roundStarted(1), replaced } as SessionEvent), [
    "round 1/3 workstation_3 did not answer (no answer): workstation_2 takes its place",
    "round 1/3 workstation_1 did not answer (no answer): nobody is left to replace it",
    "round 1/3 started: workstation_1, workstation_2",
  ]);
});

Deno.test("linesOf() tells the accuracy on a client's own test split", () => {
  const plain = update(1, ANNA, 100, 0.5, null);
  const test = { loss: 0.6, accuracy: 0.8125, samples: 20 };
  const lines = lastLines(roundStarted(1), {
    ...plain,
    metrics: { ...plain.metrics, test },
  });
  assert.match(lines.at(-1)!, /accuracy -, test accuracy 81\.25 %,/);
});

Deno.test("linesOf() tells that a run waits once for each number of clients", () => {
  const waiting = (present: number): StreamItem => ({
    kind: "note",
    note: { type: "waiting_for_clients", present, needed: 2 },
  });
  assert.deepEqual(allLines([waiting(0), waiting(0), waiting(1), waiting(1)]), [
    "waiting for clients: 0 of 2 are there",
    "waiting for clients: 1 of 2 are there",
  ]);
  assert.deepEqual(allLines([{ kind: "note", note: progress(1, 3, 0.5) }]), []);
});

Deno.test("linesOf() keeps a reason with line breaks on one line", () => {
  const failed: SessionEvent = {
    type: "client_failed",
    round: 1,
    client: ANNA,
    reason: "boom\n\u001b[31mfinished",
  };
  assert.deepEqual(
    lastLines(roundStarted(1), failed).at(-1),
    "round 1/3 workstation_1 failed: boom [31mfinished",
  );
});

function allLines(items: readonly StreamItem[]): string[] {
  let run = nothingYet;
  return items.flatMap((item) => {
    const before = run;
    run = advance(run, item);
    return linesOf(before, item, run);
  });
}

/** The lines after the first two, which are those of the start. */
function lastLines(...events: readonly SessionEvent[]): string[] {
  const entries = journal([submitted, started, ...events]);
  return allLines(entries.map((entry) => ({ kind: "event", entry }))).slice(2);
}
