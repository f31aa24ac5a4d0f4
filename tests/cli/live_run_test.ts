import assert from "node:assert/strict";
import { LiveRun } from "../../src/cli/live_run.ts";
import { noColours } from "../../src/cli/colours.ts";
import { advance } from "../../src/cli/run_progress.ts";
import { failedRun, finishedRun, START } from "../fixtures/recorded_run.ts";
import { FakeTerminal } from "./fake_terminal.ts";
import { following, progress } from "./following.ts";

const CLOCK = { epochMs: () => START + 4_000 };
const HEAD = [
  "quickstart · MLP · 101,770 parameters · 2 clients · 3 rounds",
  "",
  "round  clients    loss  accuracy  val loss   val acc    time      down        up",
];
const ROWS = [
  "  1/3      2/2  0.8250   77.50 %    0.4500   88.00 %  1.25 s  814.8 kB  814.2 kB",
  "  2/3      1/2  0.4000   88.00 %    0.3000   91.50 %  1.25 s  407.1 kB  407.1 kB",
  "✗ workstation_2 failed: the connection was lost",
  "  3/3      2/2  0.3300   90.50 %    0.2500   93.12 %  1.25 s  814.2 kB  814.2 kB",
];

Deno.test("LiveRun redraws the open round below the settled rows", async () => {
  await using world = liveWorld();
  world.live.show(following(finishedRun.slice(0, 3)));
  world.live.redraw();
  const open = following(finishedRun.slice(0, 8));
  world.live.show(advance(open, { kind: "note", note: progress(2, 94, 0.4) }));
  world.live.redraw();
  assert.deepEqual(await world.terminal.lines(), [
    ...HEAD,
    ROWS[0],
    "  2/3      0/2       -         -         -         -     0 s       0 B       0 B",
    `  workstation_1  ${"█".repeat(24)}  94/94 batches  loss 0.4000`,
    "  workstation_2  starting",
  ]);
});

Deno.test("LiveRun leaves every row once, in order, whatever was drawn in between", async () => {
  await using world = liveWorld(80, 8);
  for (let n = 1; n <= finishedRun.length; n++) {
    world.live.show(following(finishedRun.slice(0, n)));
    world.live.redraw();
  }
  world.live.close();
  assert.deepEqual(await world.terminal.lines(), [...HEAD, ...ROWS]);
});

Deno.test("LiveRun shows a validation that comes after the next round has started", async () => {
  await using world = liveWorld();
  const entries = finishedRun.map(({ event }) => event);
  const [validated] = entries.splice(6, 1);
  entries.splice(8, 0, validated!);
  const late = entries.map((event, i) => ({ seq: i + 1, at: START + i * 500, event }));
  world.live.show(following(late.slice(0, 8)));
  world.live.redraw();
  assert.match((await world.terminal.lines())[3]!, /^ {2}1\/3 .* - +- +1\.25 s/);
  world.live.show(following(late.slice(0, 9)));
  world.live.redraw();
  assert.equal((await world.terminal.lines())[3], ROWS[0]);
});

Deno.test("LiveRun draws all of a run that ended before it was shown", async () => {
  await using world = liveWorld(80, 5);
  world.live.show(following(finishedRun));
  world.live.close();
  assert.deepEqual(await world.terminal.lines(), [...HEAD, ...ROWS]);
});

Deno.test("LiveRun keeps the row of the round in which a run failed", async () => {
  await using world = liveWorld();
  world.live.show(following(failedRun));
  world.live.close();
  const lines = await world.terminal.lines();
  assert.match(lines[3]!, /^ {2}1\/3 +0\/2/);
  assert.equal(lines[4], "✗ workstation_2 failed: refused: NaN in tensor dense/kernel");
});

Deno.test("LiveRun fits a terminal of 40 columns and 6 rows", async () => {
  await using world = liveWorld(40, 6);
  for (let n = 1; n <= finishedRun.length; n++) {
    world.live.show(following(finishedRun.slice(0, n)));
    world.live.redraw();
  }
  world.live.close();
  assert.deepEqual(await world.terminal.lines(), [
    "quickstart · MLP · 101,770 parameters ·…",
    "",
    "round  clients  accuracy   val acc",
    "  1/3      2/2   77.50 %   88.00 %",
    "  2/3      1/2   88.00 %   91.50 %",
    "✗ workstation_2 failed: the connection …",
    "  3/3      2/2   90.50 %   93.12 %",
  ]);
});

Deno.test("LiveRun draws at most ten times a second, however often it is told", async () => {
  await using world = liveWorld();
  const open = following(finishedRun.slice(0, 8));
  const from = performance.now();
  let batches = 0;
  do {
    world.live.show(advance(open, { kind: "note", note: progress(2, ++batches, 0.4) }));
    // A turn of the event loop, so that timers can run.
    await new Promise((resolve) => setTimeout(resolve, 0));
  } while (performance.now() - from < 450);
  // Two writes for the rows that settle in the first drawing, then one a drawing.
  assert.ok(world.terminal.writes >= 2, `${world.terminal.writes}`);
  assert.ok(world.terminal.writes <= 6, `${world.terminal.writes} writes, ${batches} changes`);
});

Deno.test("LiveRun shows that the connection is broken, and that it stands again", async () => {
  await using world = liveWorld();
  world.live.show(following(finishedRun.slice(0, 3)));
  world.live.note("connection to the server is broken: trying again");
  world.live.redraw();
  assert.match((await world.terminal.lines()).at(-1)!, /^connection to the server is broken/);
  world.live.note("");
  world.live.redraw();
  assert.doesNotMatch((await world.terminal.lines()).join("\n"), /broken/);
});

function liveWorld(columns = 80, rows = 24) {
  const terminal = new FakeTerminal(columns, rows);
  const live = new LiveRun(terminal, noColours, CLOCK);
  return {
    terminal,
    live,
    [Symbol.asyncDispose](): Promise<void> {
      live.close();
      terminal.dispose();
      return Promise.resolve();
    },
  };
}
