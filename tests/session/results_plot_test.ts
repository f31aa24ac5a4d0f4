import assert from "node:assert/strict";
import { accuracyPlot } from "../../src/session/accuracy_plot.ts";
import { type Results, resultsOf } from "../../src/session/results.ts";
import { fold } from "../../src/session/state.ts";
import { failedRun, finishedRun, givenUpRun } from "../fixtures/recorded_run.ts";

const CONTEXT = { arithmetic: {}, versions: {} };
const FINISHED = resultsOf(fold(finishedRun)!, CONTEXT);

Deno.test("accuracyPlot() places accuracies on 0 to 100 % and losses below the next round number", () => {
  const plot = accuracyPlot(FINISHED);
  // Heights from 376 (0) to 64 (1): 0.88 is 376 - 0.88 * 312 = 101.4; x from 76 to 724.
  assert.deepEqual(pointsOf(plot, "accuracy"), "76,101.4 400,90.5 724,85.5");
  // The largest loss is 0.825, so the right axis ends at 1.
  assert.deepEqual(pointsOf(plot, "loss"), "76,235.6 400,282.4 724,298");
  assert.deepEqual(pointsOf(plot, "loss clients"), "76,118.6 400,251.2 724,273");
  assert.match(plot, />100 %<\/text>/);
});

Deno.test("accuracyPlot() scales the right axis to the largest loss", () => {
  const [first, ...others] = FINISHED.rounds;
  const validation = { loss: 2.3, accuracy: 0.1 };
  const plot = accuracyPlot({ ...FINISHED, rounds: [{ ...first!, validation }, ...others] });
  // The axis ends at 2.5: 2.3 / 2.5 * 312 = 287.04 above the bottom.
  assert.match(pointsOf(plot, "loss")!, /^76,89 /);
  assert.match(plot, />2\.5<\/text>/);
});

Deno.test("accuracyPlot() escapes what a user has named", () => {
  const plot = accuracyPlot({ ...FINISHED, name: `<script>&"\u0007\ud800` });
  assert.ok(plot.includes("&lt;script&gt;&amp;&quot;  : MLP"));
  assert.ok(!plot.includes("<script>"));
});

Deno.test("accuracyPlot() has no point of a round that was given up, and counts it in its title", () => {
  const plot = accuracyPlot(resultsOf(fold(givenUpRun)!, CONTEXT));
  assert.match(plot, /<title>quickstart: MLP, 1 rounds, 1 given up<\/title>/);
  // The axis has both rounds, the first on its left.
  assert.match(plot, /<circle class="dot accuracy" cx="76" /);
  assert.doesNotMatch(plot, /cx="724"/);
});

Deno.test("accuracyPlot() says that there is nothing to plot", () => {
  const plot = accuracyPlot(resultsOf(fold(failedRun)!, CONTEXT));
  assert.match(plot, />no round has finished<\/text>/);
  assert.doesNotMatch(plot, /polyline/);
});

Deno.test("accuracyPlot() has at most a dozen ticks, and no NaN, for any number of rounds", () => {
  for (const count of [1, 2, 10, 11, 13, 25, 99, 137, 1000, 9999]) {
    const plot = accuracyPlot(withRounds(count));
    const ticks = [...plot.matchAll(/y2="381"/g)].length;
    assert.ok(ticks >= 1 && ticks <= 13, `${ticks} ticks for ${count} rounds`);
    assert.doesNotMatch(plot, /NaN|undefined|Infinity/);
  }
});

function withRounds(count: number): Results {
  const [first] = FINISHED.rounds;
  return {
    ...FINISHED,
    rounds: Array.from({ length: count }, (_, i) => ({ ...first!, round: i + 1 })),
  };
}

function pointsOf(plot: string, look: string): string | undefined {
  return new RegExp(`class="line ${look}" points="([^"]*)"`).exec(plot)?.[1];
}
