/** The leader's side of discovery over MQTT. */
import type { ClientMessage, LeaderAdvert, LeaderDiscovery } from "./discovery.ts";
import { decodeClientMessage, encodeLeaderAdvert } from "./messages.ts";
import { type BrokerLink, openConnection } from "./mqtt_connection.ts";
import { refusalLog } from "./refusals.ts";
import { DEFAULT_TOPICS, type DiscoveryTopics } from "./topics.ts";

/** How a leader joins a broker. */
export interface LeaderLink extends BrokerLink {
  /** @default {DEFAULT_TOPICS} */
  readonly topics?: DiscoveryTopics;
  /**
   * Name of this connection on the broker; must differ between leaders, as a broker disconnects the
   * elder of two that share one.
   *
   * @default `flo_server_` and a new UUID
   */
  readonly mqttId?: string;
}

/**
 * Joins a broker as a leader. Returns before the connection stands, and does not mind if the broker
 * is not there yet. Set the listeners before the first {@link LeaderDiscovery.advertise}.
 */
export async function connectLeader(link: LeaderLink): Promise<LeaderDiscovery> {
  const { topics = DEFAULT_TOPICS, mqttId = `flo_server_${crypto.randomUUID()}`, logger } = link;
  const kinds = new Map<string, ClientMessage["kind"]>([
    [topics.clientAdvert, "advert"],
    [topics.heartbeat, "heartbeat"],
    [topics.lost, "lost"],
  ]);
  const refused = refusalLog(logger);
  const messageListeners: ((message: ClientMessage) => void)[] = [];
  const connectionListeners: ((connected: boolean) => void)[] = [];
  let current: LeaderAdvert | undefined;

  const connection = await openConnection({
    ...link,
    mqttId,
    subscriptions: {
      [topics.clientAdvert]: { qos: 1 },
      [topics.heartbeat]: { qos: 0 },
      [topics.lost]: { qos: 1 },
    },
    onMessage(topic, payload, retained) {
      const kind = kinds.get(topic);
      if (kind === undefined) return;
      // A retained one is an old one: its sender may be long gone.
      if (retained) return refused(topic, "retained");
      const decoded = decodeClientMessage(kind, payload);
      if (!decoded.ok) return refused(topic, decoded.reason);
      for (const listener of messageListeners) listener(decoded.value);
    },
    onReady() {
      publishAdvert();
      for (const listener of connectionListeners) listener(true);
    },
    onBroken() {
      for (const listener of connectionListeners) listener(false);
    },
  });

  // Only once subscribed, or the answers would come before anyone listens.
  function publishAdvert(): void {
    if (current === undefined || !connection.ready) return;
    const payload = encodeLeaderAdvert(current);
    connection.publish({ topic: topics.leaderAdvert, payload, qos: 1, retain: true });
  }

  return {
    advertise(advert) {
      current = advert;
      publishAdvert();
    },
    onMessage(listener) {
      messageListeners.push(listener);
    },
    onConnection(listener) {
      connectionListeners.push(listener);
      if (connection.ready) listener(true);
    },
    close: () => connection.close(),
  };
}
