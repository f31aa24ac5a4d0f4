import assert from "node:assert/strict";
import { noColours } from "../../src/cli/colours.ts";
import { failureText, summaryLines } from "../../src/cli/run_summary.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import {
  ANNA,
  BERT,
  failedRun,
  finishedRun,
  givenUpRun,
  journal,
  roundFinished,
  roundStarted,
  SESSION,
  started,
  submitted,
  update,
} from "../fixtures/recorded_run.ts";
import { following } from "./following.ts";

Deno.test("summaryLines() give time, quality, lost clients and the place of the results", () => {
  // From entry 2 to entry 18 at half a second each.
  assert.deepEqual(summaryLines(following(finishedRun).state, "runs/1", noColours), [
    "finished: 3 rounds in 8.00 s, accuracy 93.12 %, loss 0.2500 on the server's validation set",
    "clients that failed on the way:",
    "  workstation_2 (round 2): the connection was lost",
    "results are in runs/1:",
    "  model/model.json (tfjs), model.safetensors, accuracy.svg,",
    "  results.json, results.csv, log.jsonl",
  ]);
});

Deno.test("summaryLines() give the clients' own numbers where the server has none", () => {
  const unvalidated = finishedRun.map(({ event }) => event)
    .filter(({ type }) => type !== "round_validated");
  const [first] = summaryLines(following(journal(unvalidated)).state, null, noColours);
  assert.match(first!, /accuracy 90\.50 %, loss 0\.3300 in the clients' training$/);
});

Deno.test("summaryLines() count rounds that were given up, and measure the last that was not", () => {
  const [first] = summaryLines(following(givenUpRun).state, null, noColours);
  // From entry 2 to entry 12.
  assert.equal(
    first,
    "finished: 2 rounds, 1 of them given up, in 5.00 s, " +
      "accuracy 88.00 %, loss 0.4500 on the server's validation set",
  );
});

Deno.test("failureText() gives the run's reason and each client's, by name", () => {
  assert.equal(
    failureText(following(failedRun).state),
    `Session ${SESSION} failed: round 1 has 0 updates: at least 1 is needed\n` +
      "  workstation_1 (round 1): the deadline of 300 s has passed\n" +
      "  workstation_2 (round 1): refused: NaN in tensor dense/kernel",
  );
});

Deno.test("failureText() joins rounds in which the same happened", () => {
  const lost = (round: number, client = BERT): SessionEvent => ({
    type: "client_failed",
    round,
    client,
    reason: "lost",
  });
  const rounds = [1, 2, 3, 4, 5].flatMap((round) => [
    roundStarted(round),
    update(round, ANNA, 100, 0.5, 0.5),
    ...(round === 4 ? [] : [lost(round)]),
    roundFinished(round, 0.5, 0.5),
  ]);
  const events = [submitted, started, ...rounds];
  const stopped: SessionEvent = { type: "session_stopped", reason: "stopped by a user" };
  assert.equal(
    failureText(following(journal([...events, stopped])).state),
    `Session ${SESSION} was stopped: stopped by a user\n  workstation_2 (rounds 1-3, 5): lost`,
  );
});
