/**
 * A run's events as they happen: server-sent events that are resumed, by the number of the last
 * entry seen, whenever the connection breaks (as it does when the leader restarts).
 */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { FlotillaError, messageOf, UnreachableError } from "../core/errors.ts";
import type { Clock } from "../core/clock.ts";
import type { SessionId } from "../core/ids.ts";
import { isTerminal, type StreamItem } from "../session/events.ts";
import { type LeaderApi, LeaderError } from "./leader_api.ts";

/** How to follow a run. */
export interface FollowOptions {
  readonly clock: Clock;
  /** Ends the stream; it then throws the signal's reason. */
  readonly signal: AbortSignal;
  /** Called when the connection breaks (false) and when it stands again (true). */
  readonly onConnection?: (connected: boolean) => void;
  /**
   * Milliseconds to go on trying after the connection broke.
   *
   * @default {300_000}
   */
  readonly giveUpAfterMs?: number;
  /**
   * Whether the leader has answered just now, as to a submission: then it is waited for from the
   * start.
   *
   * @default {false}
   */
  readonly hasAnswered?: boolean;
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 3000;

/**
 * Everything that happens in a run, from its first event to its last; each event exactly once.
 *
 * @throws {UnreachableError} nothing answers at the start, unless it has answered before, or the
 * connection stays broken too long
 * @throws {LeaderError} the leader does not know the run, or no longer
 */
export async function* followEvents(
  leader: Pick<LeaderApi, "openEvents" | "endpoint">,
  session: SessionId,
  { clock, signal, onConnection, giveUpAfterMs = 300_000, hasAnswered = false }: FollowOptions,
): AsyncGenerator<StreamItem> {
  let seen = 0;
  let connected = true;
  let brokenSince: number | null = null;
  let pauseMs = FIRST_PAUSE_MS;
  // A run that has ended may have been continued: only the server knows what was its last event,
  // and it closes the stream behind that one.
  let ended = false;
  for (let first = true;; first = false) {
    try {
      const body = await leader.openEvents(session, seen, signal);
      if (!connected) onConnection?.(true);
      connected = true;
      for await (const item of readItems(body)) {
        [brokenSince, pauseMs] = [null, FIRST_PAUSE_MS];
        if (item.kind === "event") {
          if (item.entry.seq <= seen) continue;
          seen = item.entry.seq;
          ended = isTerminal(item.entry.event);
        }
        yield item;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (ended) return;
      if (first && !hasAnswered && error instanceof UnreachableError) throw error;
      if (!isPassing(error)) throw error;
    }
    if (ended) return;
    const now = clock.monotonicMs();
    if (connected) onConnection?.(false);
    connected = false;
    brokenSince ??= now;
    if (now - brokenSince > giveUpAfterMs) {
      throw new UnreachableError(
        `Cannot follow session ${session} as the server at ${leader.endpoint} has not answered ` +
          `for ${Math.round((now - brokenSince) / 1000)} s: see "flotilla logs ${session}" later`,
      );
    }
    await clock.sleep(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** Whether trying again can help: the leader is away or starting, not refusing. */
function isPassing(error: unknown): boolean {
  if (error instanceof LeaderError) return error.status >= 500 || error.status === 429;
  // What remains are broken connections, of which fetch throws TypeErrors of many texts.
  return !(error instanceof FlotillaError) || error instanceof UnreachableError;
}

async function* readItems(body: AsyncIterable<Uint8Array>): AsyncGenerator<StreamItem> {
  const messages: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => void messages.push(message) });
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    for (const message of messages.splice(0)) yield itemOf(message);
  }
}

function itemOf({ event, data }: EventSourceMessage): StreamItem {
  try {
    return event === "note"
      ? { kind: "note", note: JSON.parse(data) }
      : { kind: "event", entry: JSON.parse(data) };
  } catch (error) {
    throw new FlotillaError(`Cannot read an event of the server: ${messageOf(error)}`);
  }
}
