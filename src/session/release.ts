/** The end of a session for its clients: none of their results is wanted any more. */
import type { ClientId } from "../core/ids.ts";
import type { EngineContext } from "./run_context.ts";

/** What a client may take to answer; one that does not will forget the session by itself. */
const RELEASE_WITHIN_MS = 2000;

/** Tells all clients that took part and can be reached. Never throws. */
export async function releaseClients({ journal, fleet }: EngineContext): Promise<void> {
  const took = new Set(
    journal.state.rounds.flatMap(({ selected }) => selected.map(({ id }) => id)),
  );
  const release = async (id: ClientId) => {
    await fleet.link(id).release(journal.id, {
      signal: new AbortController().signal,
      deadlineMs: RELEASE_WITHIN_MS,
    });
  };
  await Promise.allSettled([...took].map(release));
}
