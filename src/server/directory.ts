/**
 * The clients that a leader knows: who is there, where, with which data. It hears adverts,
 * heartbeats and last wills from discovery and answers sessions and users.
 */
import type { Clock } from "../core/clock.ts";
import { RpcError } from "../core/errors.ts";
import { byName, type ClientId } from "../core/ids.ts";
import type { ClientAdvert, ClientMessage } from "../discovery/discovery.ts";
import type { Logger } from "../log/log.ts";
import type { ClientEndpoints, ClientLink } from "../rpc/transport.ts";
import type { Fleet, FleetMember } from "../session/fleet.ts";
import type { ClientView } from "./session_service.ts";

/** When a silent client counts as gone, and how often a leader may call out. */
export interface DirectoryOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Opens a link to a client. */
  connect(client: ClientId, endpoints: ClientEndpoints): ClientLink;
  /** Whether silence of this many milliseconds makes a client inactive. */
  isSilent(silentMs: number): boolean;
  /** Publishes the leader's advert again, so that every client answers. */
  readvertise(): void;
  /** Told of each sign of life of an active client. @default nobody is told */
  heard?(client: ClientId): void;
}

/** Time that a client which is silent, or which the broker calls lost, has to answer. */
const LAST_CALL_MS = 500;

/** Least time between two adverts that unknown heartbeats cause. */
const READVERTISE_EVERY_MS = 1000;

interface Entry {
  readonly id: ClientId;
  advert: ClientAdvert;
  presence: "active" | "lost" | "inactive";
  training: boolean;
  /** Monotonic, for the rule. */
  heardMs: number;
  /** Wall clock, for people. */
  heardAt: number;
  link: ClientLink | null;
}

/** The leader's directory of clients. */
export class Directory implements Fleet {
  readonly #entries = new Map<ClientId, Entry>();
  readonly #waiters = new Set<() => void>();
  #readvertisedMs = -Infinity;

  constructor(readonly options: DirectoryOptions) {}

  /** Takes a message that discovery has validated. */
  hear(message: ClientMessage): void {
    switch (message.kind) {
      case "advert":
        return this.#register(message.client, message.advert);
      case "heartbeat":
        return this.#heartbeat(message.client);
      case "lost":
        void this.#lose(message.client);
        return;
    }
  }

  /**
   * Applies the missed-heartbeat rule to all active clients; call it once an interval. Heartbeats go
   * through the broker: a silent client is asked by itself first, and one that answers stays. A client
   * that trains is left alone: its call tells whether it is there.
   */
  async checkSilence(): Promise<void> {
    const now = this.options.clock.monotonicMs();
    const isSilent = (entry: Entry) =>
      entry.presence === "active" && !entry.training && this.options.isSilent(now - entry.heardMs);
    const silent = [...this.#entries.values()].filter(isSilent);
    await Promise.all(silent.map(async (entry) => {
      const answers = await this.#answers(entry.id);
      // It may have been heard, or be another entry, by now.
      if (this.#entries.get(entry.id) !== entry || !isSilent(entry)) return;
      if (answers) return this.#hears(entry);
      entry.presence = "inactive";
      const seconds = Math.round((now - entry.heardMs) / 1000);
      this.options.logger.warning(
        "client_inactive",
        `${entry.advert.name} is inactive: no heartbeat for ${seconds} s`,
        { client: entry.id },
      );
      this.#changed();
    }));
  }

  /** Restarts every client's patience; call it when the broker is back after an outage. */
  forgiveSilence(): void {
    const now = this.options.clock.monotonicMs();
    for (const entry of this.#entries.values()) entry.heardMs = now;
  }

  holding(dataset: string): FleetMember[] {
    return this.#active().flatMap(({ id, advert }) => {
      // Own keys only: a config may name a dataset "constructor".
      if (!Object.hasOwn(advert.datasets, dataset)) return [];
      const description = advert.datasets[dataset]!;
      const { num_items: samples, label_distribution: labels } = description.metadata;
      return [{ id, name: advert.name, samples, labelDistribution: labels ?? null }];
    }).sort(byName);
  }

  activeCount(): number {
    return this.#active().length;
  }

  nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const settle = () => {
        this.#waiters.delete(settle);
        signal.removeEventListener("abort", settle);
        if (signal.aborted) reject(signal.reason);
        else resolve();
      };
      this.#waiters.add(settle);
      signal.addEventListener("abort", settle);
    });
  }

  link(client: ClientId): ClientLink {
    const entry = this.#entries.get(client);
    if (entry === undefined) {
      throw new RpcError("unavailable", `The client ${client} is not in the directory`);
    }
    entry.link ??= this.options.connect(client, endpointsOf(entry.advert));
    return entry.link;
  }

  setTraining(client: ClientId, training: boolean): void {
    const entry = this.#entries.get(client);
    if (entry === undefined) return;
    entry.training = training;
    // Its silence while it trained was not counted, so it does not count afterwards either.
    if (!training) entry.heardMs = this.options.clock.monotonicMs();
    this.#changed();
  }

  /** All clients ever heard in this process, in order of name. */
  views(): ClientView[] {
    return [...this.#entries.values()].map(viewOf).sort(byName);
  }

  /** Closes all links. */
  close(): void {
    for (const entry of this.#entries.values()) entry.link?.close();
  }

  #active(): Entry[] {
    return [...this.#entries.values()].filter(({ presence }) => presence === "active");
  }

  #register(id: ClientId, advert: ClientAdvert): void {
    const { clock, logger } = this.options;
    const known = this.#entries.get(id);
    const moved = known !== undefined && !sameEndpoints(known.advert, advert);
    const isBack = known !== undefined && known.presence !== "active";
    // A connection that has failed waits before it tries again, and would not see who is back.
    if (moved || (isBack && !known.training)) {
      known.link?.close();
      known.link = null;
    }
    const isNews = known === undefined || isBack || moved;
    this.#entries.set(id, {
      id,
      advert,
      presence: "active",
      training: known?.training ?? false,
      heardMs: clock.monotonicMs(),
      heardAt: clock.epochMs(),
      link: known?.link ?? null,
    });
    if (isNews) {
      const datasets = Object.keys(advert.datasets).join(", ") || "none";
      logger.info(
        "client_joined",
        `${advert.name} is here at ${advert.grpc_ep} (datasets: ${datasets})`,
        { client: id },
      );
    }
    this.#changed();
    this.options.heard?.(id);
  }

  #heartbeat(id: ClientId): void {
    const { clock } = this.options;
    const entry = this.#entries.get(id);
    if (entry?.presence === "active") {
      this.#hears(entry);
      this.options.heard?.(id);
      return;
    }
    // Somebody is alive whom we do not count: an advert makes it introduce itself again.
    if (clock.monotonicMs() - this.#readvertisedMs < READVERTISE_EVERY_MS) return;
    this.#readvertisedMs = clock.monotonicMs();
    this.options.readvertise();
  }

  /**
   * The broker says that a client is gone. It says so too when it is itself going down, so the
   * client is asked first: a dead one refuses the call at once, and only one that answers stays.
   */
  async #lose(id: ClientId): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.presence !== "active") return;
    const { advert } = entry;
    if (await this.#answers(id)) return;
    // Gone, unless it has introduced itself again in the meantime.
    if (entry.presence !== "active" || this.#entries.get(id)?.advert !== advert) return;
    entry.presence = "lost";
    this.options.logger.warning("client_lost", `${advert.name} is gone`, { client: id });
    this.#changed();
  }

  /** Whether a client answers a call, whatever its broker says of it. */
  async #answers(id: ClientId): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(LAST_CALL_MS);
      await this.link(id).echo("", { signal, deadlineMs: LAST_CALL_MS });
      return true;
    } catch {
      return false;
    }
  }

  #hears(entry: Entry): void {
    entry.heardMs = this.options.clock.monotonicMs();
    entry.heardAt = this.options.clock.epochMs();
  }

  #changed(): void {
    for (const settle of [...this.#waiters]) settle();
  }
}

function endpointsOf({ grpc_ep: sync, grpc_async_ep: async_ }: ClientAdvert) {
  return { sync, async: async_ ?? sync };
}

function sameEndpoints(a: ClientAdvert, b: ClientAdvert): boolean {
  return a.grpc_ep === b.grpc_ep && a.grpc_async_ep === b.grpc_async_ep;
}

function viewOf({ id, advert, presence, training, heardAt }: Entry): ClientView {
  const items = Object.entries(advert.datasets)
    .map(([name, { metadata }]) => [name, metadata.num_items] as const);
  return {
    id,
    name: advert.name,
    endpoint: advert.grpc_ep,
    state: presence === "active" && training ? "training" : presence,
    lastHeartbeat: heardAt,
    datasets: Object.fromEntries(items),
    hardware: advert.hw_info,
    models: advert.models,
  };
}
