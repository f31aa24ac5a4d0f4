/** How a client makes itself known: answers every leader's advert, then sends heartbeats. */
import type { Clock } from "../core/clock.ts";
import type { ClientAdvert, ClientDiscovery, LeaderAdvert } from "../discovery/discovery.ts";
import type { Logger } from "../log/log.ts";

/** What a client tells of itself, but for the time. */
export type Introduction = Omit<ClientAdvert, "timestamp">;

/** Keeps a client in its leader's directory. */
export class Presence {
  readonly #discovery: ClientDiscovery;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #introduce: () => Introduction;
  readonly #end = new AbortController();
  #leader: LeaderAdvert | null = null;
  #beating = false;

  /**
   * @param introduce gives what is true now; called for each answer
   */
  constructor(
    discovery: ClientDiscovery,
    clock: Clock,
    logger: Logger,
    introduce: () => Introduction,
  ) {
    this.#discovery = discovery;
    this.#clock = clock;
    this.#logger = logger;
    this.#introduce = introduce;
    discovery.onLeader((advert) => this.#answer(advert));
  }

  /** Introduces the client again, as something it tells has changed; no effect before a leader. */
  refresh(): void {
    if (this.#leader === null || this.#end.signal.aborted) return;
    this.#discovery.announce(
      { ...this.#introduce(), timestamp: this.#clock.epochMs() / 1000 },
      this.#leader.mqtt_client_topic,
    );
  }

  /** Ends the heartbeats and says goodbye. */
  async close(): Promise<void> {
    this.#end.abort();
    await this.#discovery.close();
  }

  #answer(advert: LeaderAdvert): void {
    if (this.#leader === null) this.#logger.info("leader_found", "Found the leader");
    this.#leader = advert;
    this.refresh();
    if (!this.#beating) void this.#beat();
  }

  /** A changed interval applies from the next wait, as in the original. */
  async #beat(): Promise<void> {
    this.#beating = true;
    const { signal } = this.#end;
    try {
      while (!signal.aborted) {
        this.#discovery.heartbeat(this.#clock.epochMs() / 1000);
        await this.#clock.sleep(this.#leader!.heartbeat_interval * 1000, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
