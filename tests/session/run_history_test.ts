/** A run's history and its page, by hand. */
import assert from "node:assert/strict";
import type { SessionEntry, SessionEvent } from "../../src/session/events.ts";
import type { Results } from "../../src/session/results.ts";
import { runHistory } from "../../src/session/run_history.ts";
import { runsPage } from "../../src/session/run_plots.ts";
import { pageHtml, pageSvg } from "../../src/plot/page.ts";
import { xTicks } from "../../src/plot/line_chart.ts";

const A = { id: "a", name: "alpha" };
const B = { id: "b", name: "beta <&>" };

function entry(at: number, event: object): SessionEntry {
  return { seq: at, at, event: event as SessionEvent };
}

/** Starts at 1 s; alpha answers after 2 s, beta fails at 4 s, the round ends at 5 s. */
const JOURNAL = [
  entry(1000, { type: "session_started" }),
  entry(1500, { type: "round_started", round: 1, selected: [B, A] }),
  entry(3500, {
    type: "update_received",
    round: 1,
    client: A,
    seconds: 2,
    metrics: { trainSeconds: 1.5 },
  }),
  entry(5000, { type: "client_failed", round: 1, client: B, reason: "gone" }),
  entry(6000, { type: "round_finished", round: 1 }),
];

const ROUND = {
  round: 1,
  validation: { accuracy: 0.5, loss: 2 },
  updates: [{ bytes_down: 300, bytes_up: 100, samples: 1, accuracy: 0.25, loss: 3 }],
};

function results(rounds: object[]): Results {
  return { name: "run", session_id: "12345678-9", rounds } as unknown as Results;
}

Deno.test("runHistory() has points by round and each client's work, in seconds of the run", () => {
  const { points, clients, measured, startMs } = runHistory(results([ROUND]), JOURNAL);
  assert.equal(measured, "validation");
  assert.equal(startMs, 1000);
  assert.deepEqual(points, [{ round: 1, seconds: 5, bytes: 400, accuracy: 0.5, loss: 2 }]);
  assert.deepEqual(clients.map(({ name }) => name), ["alpha", "beta <&>"]);
  assert.deepEqual(clients[0]!.work, [
    { round: 1, from: 0.5, to: 2.5, trainSeconds: 1.5, roundEnd: 5, failure: null },
  ]);
  assert.deepEqual(clients[1]!.work, [
    { round: 1, from: 0.5, to: 4, trainSeconds: null, roundEnd: 5, failure: "gone" },
  ]);
});

Deno.test("runHistory() has no point of a round that was given up, and ends its clients' work with it", () => {
  const givenUp = {
    ...ROUND,
    round: 2,
    validation: null,
    given_up: "1 updates as min_updates is 2",
  };
  const journal = [
    ...JOURNAL,
    entry(7000, { type: "round_started", round: 2, selected: [A] }),
    entry(8000, {
      type: "update_received",
      round: 2,
      client: A,
      seconds: 1,
      metrics: { trainSeconds: 0.5 },
    }),
    entry(9000, { type: "round_given_up", round: 2 }),
    entry(20_000, { type: "round_finished", round: 3 }),
  ];
  const { points, clients } = runHistory(
    results([ROUND, givenUp, { ...ROUND, round: 3 }]),
    journal,
  );
  // The bytes were sent and received all the same.
  assert.deepEqual(points.map(({ round, bytes }) => [round, bytes]), [[1, 400], [3, 1200]]);
  assert.equal(clients[0]!.work[1]!.roundEnd, 8);
});

Deno.test("runHistory() takes the clients' own numbers where nothing was validated", () => {
  const { points, measured } = runHistory(results([{ ...ROUND, validation: null }]), JOURNAL);
  assert.equal(measured, "training");
  assert.deepEqual([points[0]!.accuracy, points[0]!.loss], [0.25, 3]);
});

Deno.test("runHistory() counts what clients were sent to validate before a round", () => {
  const validated = entry(1200, {
    type: "clients_validated",
    round: 1,
    results: [{ client: A, bytesDown: 50 }, { client: B, bytesDown: 7 }, { client: B }],
  });
  const { points } = runHistory(results([ROUND]), [...JOURNAL, validated]);
  assert.equal(points[0]!.bytes, 457);
});

Deno.test("runsPage() draws who trained, waited and failed, and nothing of a name gets through", () => {
  const history = runHistory(results([ROUND]), JOURNAL);
  const page = runsPage("Run", [{ history, resources: [] }]);
  const html = pageHtml(page);
  assert.match(html, /<rect class="training"[^>]*><title>round 1: 2 s, of which training 1.5 s</);
  assert.match(html, /<rect class="waiting"[^>]*><title>round 1: waits 2.5 s for its end</);
  assert.match(html, /<rect class="failed"[^>]*><title>round 1: gone</);
  assert.match(html, /beta &lt;&amp;&gt;/);
  assert.doesNotMatch(html, /beta <&>|<script|https?:\/\/(?!www\.w3\.org)/);
  assert.deepEqual(page.table[1], ["run", "1", "5", "400 B", "50.00 %", "50.00 %", "2"]);
});

Deno.test("runsPage() of a run that never began says that nothing was measured", () => {
  const svg = pageSvg(runsPage("Run", [{ history: runHistory(results([]), []), resources: [] }]));
  assert.equal(svg.match(/nothing measured/g)?.length, 6);
  assert.doesNotMatch(svg, /NaN|Infinity/);
});

Deno.test("xTicks() are at most six at 1, 2 or 5 times a power of ten", () => {
  assert.deepEqual(xTicks(5), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(xTicks(23), [0, 5, 10, 15, 20]);
  assert.equal(xTicks(1000).at(-1), 1000);
});
