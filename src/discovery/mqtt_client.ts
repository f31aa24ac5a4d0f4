/** A client's side of discovery over MQTT. */
import type { ClientId } from "../core/ids.ts";
import type { ClientDiscovery, LeaderAdvert } from "./discovery.ts";
import { decodeLeaderAdvert, encodeClientMessage } from "./messages.ts";
import { type BrokerLink, openConnection, type Publication } from "./mqtt_connection.ts";
import { refusalLog } from "./refusals.ts";
import { DEFAULT_TOPICS, type DiscoveryTopics } from "./topics.ts";

/** How a client joins a broker. */
export interface ClientLink extends BrokerLink {
  readonly clientId: ClientId;
  /** @default {DEFAULT_TOPICS} */
  readonly topics?: DiscoveryTopics;
}

/**
 * Joins a broker as a client. Returns before the connection stands, and does not mind if the broker
 * is not there yet. After each reconnection the leader's retained advert arrives again, so that the
 * answer to it brings the client back.
 */
export async function connectClient(link: ClientLink): Promise<ClientDiscovery> {
  const { clientId: client, topics = DEFAULT_TOPICS, logger } = link;
  const refused = refusalLog(logger);
  const listeners: ((advert: LeaderAdvert) => void)[] = [];
  // Brought by the broker, or by ourselves on leaving.
  const goodbye: Publication = {
    topic: topics.lost,
    payload: encodeClientMessage({ kind: "lost", client }),
    qos: 1,
  };

  const connection = await openConnection({
    ...link,
    mqttId: `FedML_client_${client}`,
    will: goodbye,
    subscriptions: { [topics.leaderAdvert]: { qos: 1 } },
    onMessage(topic, payload) {
      const decoded = decodeLeaderAdvert(payload);
      if (!decoded.ok) return refused(topic, decoded.reason);
      for (const listener of listeners) listener(decoded.value);
    },
    onReady() {},
    onBroken() {},
  });

  return {
    onLeader(listener) {
      listeners.push(listener);
    },
    announce(advert, topic) {
      const payload = encodeClientMessage({ kind: "advert", client, advert });
      connection.publish({ topic, payload, qos: 1 });
    },
    heartbeat(timestamp) {
      const payload = encodeClientMessage({ kind: "heartbeat", client, timestamp });
      connection.publish({ topic: topics.heartbeat, payload, qos: 0 });
    },
    close: () => connection.close(goodbye),
  };
}
