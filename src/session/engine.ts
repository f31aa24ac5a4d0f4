/**
 * A session from its journal to its end, whatever the end is. The rounds themselves are the round
 * loop's; here is what happens when they are over, broken off, or stopped.
 */
import { DeposedError, messageOf, SessionFailedError } from "../core/errors.ts";
import type { SessionEvent } from "./events.ts";
import { releaseClients } from "./release.ts";
import { RoundLoop } from "./round_loop.ts";
import type { EngineContext, RunModel } from "./run_context.ts";
import type { SessionState } from "./state.ts";
import { discardUnfinished } from "./stored_weights.ts";

/** Aborts a run on a user's request. */
export class StopRequest {
  constructor(readonly reason: string) {}
}

/**
 * Runs a session to its end, whatever the end is: the last event in the journal says it.
 *
 * @param signal aborts with a {@link StopRequest} to stop the run; with anything else the run is
 * left as it is, to be resumed
 */
export async function runSession(
  context: EngineContext,
  openModel: () => Promise<RunModel>,
  signal: AbortSignal,
): Promise<SessionState> {
  const { journal, logger } = context;
  const inner = new AbortController();
  const stop = () => inner.abort(signal.reason);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    const model = await openModel();
    await new RoundLoop(context, model, inner).toTheEnd();
  } catch (error) {
    // The run is another leader's now, or nobody's: its end is not ours to write.
    if (error instanceof DeposedError) throw error;
    // What goes wrong after the end cannot change it.
    if (journal.ended || signal.aborted && !(signal.reason instanceof StopRequest)) throw error;
    const ending: SessionEvent = signal.aborted
      ? { type: "session_stopped", reason: (signal.reason as StopRequest).reason }
      : { type: "session_failed", reason: messageOf(error) };
    if (ending.type === "session_failed" && !(error instanceof SessionFailedError)) {
      logger.error("session_error", `Session ${journal.id} broke off: ${messageOf(error)}`, {
        stack: error instanceof Error ? error.stack ?? null : null,
      });
    }
    await saveWhatThereIs(context, ending);
    await releaseClients(context);
    await journal.append(ending);
    await discardUnfinished(context).catch((error) => {
      logger.warning("weights_left", messageOf(error), { session: journal.id });
    });
  } finally {
    inner.abort(new SessionFailedError("The session has ended"));
    signal.removeEventListener("abort", stop);
  }
  return journal.state;
}

async function saveWhatThereIs({ journal, logger, saveResults }: EngineContext, end: SessionEvent) {
  try {
    const { state, entry } = journal.preview(end);
    await saveResults(state, entry, null);
  } catch (error) {
    logger.error("results_not_saved", messageOf(error), { session: journal.id });
  }
}
