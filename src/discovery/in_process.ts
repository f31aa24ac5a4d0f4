/**
 * Discovery without a broker, for tests and simulation: a bus on which one leader or more and any
 * number of clients meet inside one process.
 */
import type { ClientId } from "../core/ids.ts";
import type { ClientDiscovery, ClientMessage, LeaderAdvert, LeaderDiscovery } from "./discovery.ts";
import { DEFAULT_TOPICS } from "./topics.ts";

/** A client that can also break, as if its process had been killed. */
export interface InProcessClient extends ClientDiscovery {
  /** Its connection breaks without a goodbye: leaders hear of it at once. */
  crash(): void;
}

/** Joins leaders and clients; messages arrive in order and never inside the call that sent them. */
export class InProcessBus {
  #retained: LeaderAdvert | undefined;
  readonly #messageListeners = new Set<(message: ClientMessage) => void>();
  readonly #advertListeners = new Set<(advert: LeaderAdvert) => void>();

  /** @param clientTopic the only topic on which leaders hear adverts */
  constructor(readonly clientTopic: string = DEFAULT_TOPICS.clientAdvert) {}

  /** Joins as a leader. */
  leader(): LeaderDiscovery {
    const own = new Set<(message: ClientMessage) => void>();
    let open = true;
    return {
      advertise: (advert) => {
        if (!open) return;
        this.#retained = advert;
        for (const listener of this.#advertListeners) {
          deliver(this.#advertListeners, listener, advert);
        }
      },
      onMessage: (listener) => {
        own.add(listener);
        this.#messageListeners.add(listener);
      },
      onConnection: (listener) => queueMicrotask(() => listener(true)),
      close: () => {
        open = false;
        for (const listener of own) this.#messageListeners.delete(listener);
        return Promise.resolve();
      },
    };
  }

  /** Joins as a client. */
  client(client: ClientId): InProcessClient {
    const own = new Set<(advert: LeaderAdvert) => void>();
    let open = true;
    const send = (message: ClientMessage) => {
      if (!open) return;
      for (const listener of this.#messageListeners) {
        deliver(this.#messageListeners, listener, message);
      }
    };
    const leave = () => {
      send({ kind: "lost", client });
      open = false;
      for (const listener of own) this.#advertListeners.delete(listener);
    };
    return {
      onLeader: (listener) => {
        own.add(listener);
        this.#advertListeners.add(listener);
        if (this.#retained !== undefined) {
          deliver(this.#advertListeners, listener, this.#retained);
        }
      },
      announce: (advert, topic) => {
        if (topic === this.clientTopic) send({ kind: "advert", client, advert });
      },
      heartbeat: (timestamp) => send({ kind: "heartbeat", client, timestamp }),
      close: () => Promise.resolve(leave()),
      crash: leave,
    };
  }
}

/** Later, and only to a listener that is still there. */
function deliver<T>(
  listeners: ReadonlySet<(value: T) => void>,
  listener: (value: T) => void,
  value: T,
): void {
  queueMicrotask(() => {
    if (listeners.has(listener)) listener(value);
  });
}
