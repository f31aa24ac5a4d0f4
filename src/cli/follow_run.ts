/** Following a run to its end, or until the user has seen enough. */
import { isAbsolute, relative } from "node:path";
import { type Clock, systemClock } from "../core/clock.ts";
import { ExitCode, SessionFailedError } from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";
import type { SessionState } from "../session/state.ts";
import { coloursFor } from "./colours.ts";
import { followEvents } from "./event_stream.ts";
import type { LeaderApi } from "./leader_api.ts";
import { errorOutput, type Output } from "./output.ts";
import { advance, nothingYet, type RunProgress } from "./run_progress.ts";
import { failureText, summaryLines } from "./run_summary.ts";
import { runViewFor } from "./run_view.ts";

/** How to show a run. */
export interface ShowOptions {
  readonly output: Output;
  readonly json: boolean;
  readonly clock?: Clock;
}

/**
 * Shows a run until it ends, and sums it up if it has finished.
 *
 * @param signal detaches: resolves to null with the run left alone
 * @returns the ended run
 * @throws {UnreachableError | LeaderError} as {@link followEvents}
 */
export async function followRun(
  leader: LeaderApi,
  session: SessionId,
  signal: AbortSignal,
  { output, json, clock = systemClock }: ShowOptions,
): Promise<SessionState | null> {
  const view = await runViewFor(output, json, clock);
  let run: RunProgress = nothingYet;
  try {
    const onConnection = (connected: boolean) => view.connection(connected);
    const options = { clock, signal, onConnection, hasAnswered: true };
    for await (const item of followEvents(leader, session, options)) {
      const before = run;
      run = advance(run, item);
      view.take(item, before, run);
    }
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  } finally {
    view.close();
  }
  const { state } = run;
  if (state?.status === "finished" && !json) {
    const { results_folder: results } = await leader.session(session);
    const lines = summaryLines(state, results && placeText(results), coloursFor(output));
    output.write(`\n${lines.join("\n")}\n`);
  }
  return state;
}

/** A path as a reader here finds it: relative if it lies below the working folder. */
function placeText(path: string): string {
  const own = relative(Deno.cwd(), path);
  return own.startsWith("..") || isAbsolute(own) ? path : own;
}

/**
 * Follows a run for a command whose exit code tells how the run ended. Ctrl-C detaches and says
 * how to come back; a second one ends the process at once.
 *
 * @throws {SessionFailedError} the run failed or was stopped
 */
export async function followToExit(
  leader: LeaderApi,
  session: SessionId,
  detach: AbortSignal,
  options: ShowOptions,
): Promise<void> {
  const state = await followRun(leader, session, detach, options);
  if (state === null) {
    errorOutput.write(
      `\ndetached: the run goes on\n  flotilla logs ${session} --follow   to watch it again\n` +
        `  flotilla stop ${session}            to end it\n`,
    );
    Deno.exitCode = ExitCode.interrupted;
  } else if (state.status !== "finished") {
    throw new SessionFailedError(failureText(state));
  }
}

/** A signal that the first Ctrl-C aborts; the second ends the process. */
export function interruptSignal(): AbortSignal {
  const first = new AbortController();
  Deno.addSignalListener("SIGINT", () => {
    if (first.signal.aborted) Deno.exit(ExitCode.interrupted);
    first.abort(new DOMException("Interrupted", "AbortError"));
  });
  return first.signal;
}
