import assert from "node:assert/strict";
import picocolors from "picocolors";
import stringWidth from "string-width";
import { noColours } from "../../src/cli/colours.ts";
import { advance } from "../../src/cli/run_progress.ts";
import { headLines, liveLines, roundLines, type TableStyle } from "../../src/cli/run_table.ts";
import {
  ANNA,
  BERT,
  CARL,
  finishedRun,
  givenUpRun,
  journal,
  roundStarted,
  START,
  started,
  submitted,
} from "../fixtures/recorded_run.ts";
import { following, progress } from "./following.ts";

const WIDE: TableStyle = { columns: 80, colours: noColours, now: START + 12_900 };
const OPEN = following(finishedRun.slice(0, 8));

Deno.test("headLines() name the run, its model, parameters, clients and rounds", () => {
  const [facts, empty, titles] = headLines(following(finishedRun).state, WIDE);
  assert.equal(facts, "quickstart · MLP · 101,770 parameters · 2 clients · 3 rounds");
  assert.equal(empty, "");
  assert.equal(
    titles,
    "round  clients    loss  accuracy  val loss   val acc    time      down        up",
  );
});

Deno.test("roundLines() show a finished round with its sums and its lost clients", () => {
  const { state } = following(finishedRun);
  assert.deepEqual(roundLines(state, state.rounds[0]!, WIDE), [
    "  1/3      2/2  0.8250   77.50 %    0.4500   88.00 %  1.25 s  814.8 kB  814.2 kB",
  ]);
  assert.deepEqual(roundLines(state, state.rounds[1]!, WIDE), [
    "  2/3      1/2  0.4000   88.00 %    0.3000   91.50 %  1.25 s  407.1 kB  407.1 kB",
    "✗ workstation_2 failed: the connection was lost",
  ]);
});

Deno.test("roundLines() show a round that was given up without loss and accuracy", () => {
  const { state } = following(givenUpRun);
  assert.deepEqual(roundLines(state, state.rounds[1]!, WIDE), [
    "  2/3      1/2       -         -         -         -  0.75 s  407.1 kB  407.1 kB",
    "✗ workstation_2 failed: the connection was lost",
    "✗ round 2 is given up: 1 updates as min_updates is 2",
  ]);
});

Deno.test("roundLines() line up with the titles at every width, and never exceed it", () => {
  const { state } = following(finishedRun);
  for (let columns = 1; columns <= 100; columns++) {
    const style = { ...WIDE, columns };
    const titles = headLines(state, style).at(-1)!;
    for (const round of state.rounds) {
      const [row, ...others] = roundLines(state, round, style);
      assert.equal(stringWidth(row!), stringWidth(titles), `at ${columns} columns`);
      for (const line of [row!, ...others]) assert.ok(stringWidth(line) <= columns);
    }
  }
});

Deno.test("liveLines() show a bar for each client that trains", () => {
  const run = advance(OPEN, { kind: "note", note: progress(2, 47, 0.512) });
  // Round 2 started 3.5 s after the first entry, so 9.4 s ago.
  assert.deepEqual(liveLines(run, WIDE, 20), [
    "  2/3      0/2       -         -         -         -     9 s       0 B       0 B",
    `  workstation_1  ${"█".repeat(12)}${"░".repeat(12)}  47/94 batches  loss 0.5120`,
    "  workstation_2  starting",
  ]);
});

Deno.test("liveLines() show what a client that is done has reached, or why it failed", () => {
  assert.deepEqual(liveLines(following(finishedRun.slice(0, 10)), WIDE, 20).slice(1), [
    "✓ workstation_1  6,000 samples  loss 0.4000  0.90 s",
    "✗ workstation_2 failed: the connection was lost",
  ]);
});

Deno.test("liveLines() leave out the bar where there is no room for it", () => {
  const run = advance(OPEN, { kind: "note", note: progress(2, 47, 0.512) });
  const lines = liveLines(run, { ...WIDE, columns: 40 }, 20);
  assert.equal(lines[1], "  workstation_1  47/94  loss 0.5120");
});

Deno.test("liveLines() sum up the clients for which there are no lines", () => {
  const selected = Array.from({ length: 200 }, (_, i) => ({
    id: `id-${i + 1}`,
    name: `workstation_${i + 1}`,
  }));
  const run = following(journal([submitted, started, { ...openingRound(), selected }]));
  const lines = liveLines(run, WIDE, 5);
  assert.equal(lines.length, 5);
  assert.equal(lines[3], "  workstation_3    starting");
  assert.equal(lines[4], "  … and 197 more clients; 0 of 200 are done");
});

Deno.test("liveLines() tell who was replaced", () => {
  const replaced = [{ client: CARL, reason: "no answer in 5 s", by: BERT }];
  const run = following(journal([submitted, started, { ...openingRound(), replaced }]));
  assert.equal(
    liveLines(run, WIDE, 9)[1],
    "  workstation_3 replaced by workstation_2: no answer in 5 s",
  );
});

Deno.test("liveLines() say what a run without an open round waits for", () => {
  const queued = following(finishedRun.slice(0, 1));
  assert.match(liveLines(queued, WIDE, 9)[0]!, /^waiting for its turn/);
  const note = { type: "waiting_for_clients", present: 1, needed: 2 } as const;
  const waiting = advance(following(finishedRun.slice(0, 2)), { kind: "note", note });
  assert.deepEqual(liveLines(waiting, WIDE, 9), ["waiting for clients: 1 of 2 are there"]);
  assert.deepEqual(liveLines(following(finishedRun), WIDE, 9), []);
});

Deno.test("names and reasons cannot move the cursor", () => {
  const evil = { id: ANNA.id, name: "a\u001b[2Jb\nc" };
  const run = following(journal([submitted, started, { ...openingRound(), selected: [evil] }]));
  assert.equal(liveLines(run, WIDE, 9)[1], "  a [2Jb c  starting");
});

Deno.test("lines keep their width when they have colours", () => {
  const { state } = following(finishedRun);
  const coloured = { ...WIDE, columns: 60, colours: picocolors.createColors(true) };
  const lines = roundLines(state, state.rounds[1]!, coloured);
  assert.ok(lines[1]!.startsWith("\u001b[31m✗"));
  for (const line of lines) assert.ok(stringWidth(line) <= 60);
});

function openingRound() {
  return roundStarted(1) as Extract<ReturnType<typeof roundStarted>, { type: "round_started" }>;
}
