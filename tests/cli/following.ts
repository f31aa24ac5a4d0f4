/** Runs as a follower knows them, made of recorded entries. */
import { advance, nothingYet, type RunProgress } from "../../src/cli/run_progress.ts";
import type { LiveNote, SessionEntry } from "../../src/session/events.ts";
import type { SessionState } from "../../src/session/state.ts";
import { ANNA } from "../fixtures/recorded_run.ts";

/** What is known after these entries. */
export function following(entries: readonly SessionEntry[]): RunProgress & { state: SessionState } {
  let run = nothingYet;
  for (const entry of entries) run = advance(run, { kind: "event", entry });
  return run as RunProgress & { state: SessionState };
}

/** Anna's progress in a round. */
export function progress(round: number, batchesDone: number, loss: number | null): LiveNote {
  return { type: "progress", round, client: ANNA, batchesDone, batchesTotal: 94, loss };
}
