/** Watches a run from outside: all its events, and when the clients are at work again. */
import { followEvents } from "../../src/cli/event_stream.ts";
import { LeaderApi } from "../../src/cli/leader_api.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { SessionEntry } from "../../src/session/events.ts";

/** Between two attempts to reach a leader that is away. */
const IMPATIENCE_MS = 20;

/** A follower that comes back sooner than users' commands do, to time resumption. */
export class Watch {
  readonly entries: SessionEntry[] = [];
  readonly #end = new AbortController();
  readonly #listeners = new Set<() => void>();
  /** Resolves when the run has ended and all its events were seen. */
  readonly ended: Promise<void>;

  constructor(endpoint: string, readonly session: string) {
    this.ended = this.#follow(endpoint);
    this.ended.catch(() => {});
  }

  /** Called at each sign of life of the run: an event, or progress of a client. */
  onSign(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** The round that is under way or was the last. */
  get round(): number {
    const started = this.entries.findLast(({ event }) => event.type === "round_started");
    return started?.event.type === "round_started" ? started.event.round : 0;
  }

  close(): void {
    this.#end.abort(new Error("The watch has ended"));
  }

  async #follow(endpoint: string): Promise<void> {
    const clock = {
      ...systemClock,
      sleep: (ms: number, signal?: AbortSignal) =>
        systemClock.sleep(Math.min(ms, IMPATIENCE_MS), signal),
    };
    const { signal } = this.#end;
    for await (
      const item of followEvents(new LeaderApi(endpoint), this.session, {
        clock,
        signal,
        hasAnswered: true,
      })
    ) {
      if (item.kind === "event") this.entries.push(item.entry);
      else if (item.note.type !== "progress") continue;
      for (const listener of this.#listeners) listener();
    }
  }
}
