/** The end of a session for its clients: none of their results is wanted any more. */
import type { ClientId, SessionId } from "../core/ids.ts";
import type { ClientLink } from "../rpc/transport.ts";
import type { EngineContext } from "./run_context.ts";

/** What a client may take to answer; one that does not is told when it is heard of again. */
const RELEASE_WITHIN_MS = 2000;

/** Tells all clients that took part. Never throws. */
export async function releaseClients(
  { journal, fleet, notReleased }: EngineContext,
): Promise<void> {
  const took = new Set(
    journal.state.rounds.flatMap(({ selected }) => selected.map(({ id }) => id)),
  );
  const missed: ClientId[] = [];
  const release = async (id: ClientId) => {
    try {
      await releaseClient(fleet.link(id), journal.id);
    } catch {
      missed.push(id);
    }
  };
  await Promise.all([...took].map(release));
  notReleased?.(missed);
}

/** Tells one client. @throws {RpcError} it cannot be told */
export async function releaseClient(link: ClientLink, session: SessionId): Promise<void> {
  await link.release(session, {
    signal: new AbortController().signal,
    deadlineMs: RELEASE_WITHIN_MS,
  });
}
