/**
 * What a follower of a run knows: the state folded from its events, as on the leader, and the
 * latest of the notes that are not kept. Pure.
 */
import type { ClientId } from "../core/ids.ts";
import type { LiveNote, StreamItem } from "../session/events.ts";
import { reduce, type SessionState } from "../session/state.ts";

/** How far a client is with its training. */
export type ClientProgress = Extract<LiveNote, { type: "progress" }>;

/** A run as it is followed. */
export interface RunProgress {
  /** Null before the first event. */
  readonly state: SessionState | null;
  /** By client, of the rounds under way only. */
  readonly training: Readonly<Record<ClientId, ClientProgress>>;
  /** Set while the run waits for clients to appear. */
  readonly waiting: Extract<LiveNote, { type: "waiting_for_clients" }> | null;
  /** Why the run stands still; null if it does not. */
  readonly paused: string | null;
}

/** A run of which nothing is known yet. */
export const nothingYet: RunProgress = { state: null, training: {}, waiting: null, paused: null };

/** The run after one more item of its stream. */
export function advance(run: RunProgress, item: StreamItem): RunProgress {
  if (item.kind === "note") {
    const { note } = item;
    if (note.type === "waiting_for_clients") return { ...run, waiting: note };
    if (note.type === "paused") return { ...run, paused: note.reason };
    if (note.type === "resumed") return { ...run, paused: null };
    return { ...run, training: { ...run.training, [note.client.id]: note } };
  }
  const state = reduce(run.state, item.entry);
  // A client that owes nothing any more has no progress; its next assignment starts afresh.
  const owing = Object.entries(run.training).filter(([id]) => id in state.inFlight);
  return { state, training: Object.fromEntries(owing), waiting: null, paused: null };
}
