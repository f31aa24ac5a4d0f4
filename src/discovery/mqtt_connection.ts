/**
 * One lasting connection to an MQTT broker: dials again with growing pauses until it is closed, and
 * subscribes anew each time. Knows nothing of what the messages mean.
 */
import { createConnection } from "node:net";
import type { Duplex } from "node:stream";
import type { MqttClient } from "mqtt";
import type { Logger } from "../log/log.ts";
import { outageLog } from "./outage_log.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A connection that held this long was a good one: the next pause is short again. */
const STEADY_MS = 10_000;
const KEEPALIVE_S = 30;
const CONNECT_DEADLINE_MS = 5_000;
/** How long closing waits for the broker to take the last message. */
const CLOSE_DEADLINE_MS = 1_000;

/** Opens the byte stream to a broker. */
export type Dial = (host: string, port: number) => Duplex;

/** 0: at most once, lost when offline. 1: at least once. */
export type QoS = 0 | 1;

/** A message to publish. */
export interface Publication {
  readonly topic: string;
  readonly payload: string;
  readonly qos: QoS;
  readonly retain?: boolean;
}

/** Where a broker is and how to speak of it. */
export interface BrokerLink {
  readonly host: string;
  readonly port: number;
  readonly logger: Logger;
  /** How to reach it. @default plain TCP */
  readonly dial?: Dial;
}

/** What a connection does with what happens on it. */
export interface ConnectionOptions extends BrokerLink {
  /** Unique on the broker: it disconnects the elder of two that share one. */
  readonly mqttId: string;
  /** Published by the broker when the connection breaks. */
  readonly will?: Publication;
  /** By topic. */
  readonly subscriptions: Readonly<Record<string, { readonly qos: QoS }>>;
  readonly onMessage: (topic: string, payload: Uint8Array, retained: boolean) => void;
  /** The subscriptions stand: the first time and after each reconnection. */
  readonly onReady: () => void;
  /** The connection broke after it had been ready. */
  readonly onBroken: () => void;
}

/** A connection that {@link openConnection} opened. */
export interface BrokerConnection {
  /** Whether the subscriptions stand. */
  readonly ready: boolean;
  /** Sends now; dropped while there is no connection. */
  publish(message: Publication): void;
  /** Publishes a last message if there is one, and disconnects; ends soon even if the broker hangs. */
  close(last?: Publication): Promise<void>;
}

/**
 * Starts to connect and returns at once: whether the broker is there shows in `onReady`. An
 * unreachable broker is logged once, and its return once.
 */
export async function openConnection(options: ConnectionOptions): Promise<BrokerConnection> {
  // Imported late: 19 MB and 45 ms that other commands and variants do not need.
  const { MqttClient } = await import("mqtt");
  const { host, port, logger, dial = dialTcp, will, mqttId, subscriptions } = options;
  const state = { ready: false, closing: false, pauseMs: FIRST_PAUSE_MS, since: Infinity };
  const outage = outageLog(logger, `${host}:${port}`);
  const client = new MqttClient(() => dial(host, port), {
    clientId: mqttId,
    keepalive: KEEPALIVE_S,
    connectTimeout: CONNECT_DEADLINE_MS,
    reconnectPeriod: state.pauseMs,
    reconnectOnConnackError: true,
    // Heartbeats of an outage are worth nothing after it; and each `connect` subscribes itself.
    queueQoSZero: false,
    resubscribe: false,
    // Otherwise 65,536 small buffers are made at the first packet.
    writeCache: false,
    timerVariant: "native",
    ...(will === undefined
      ? {}
      : { will: { ...will, payload: Buffer.from(will.payload), retain: false } }),
  });
  client.on("connect", () => {
    state.since = performance.now();
    client.subscribe({ ...subscriptions }, (error) => {
      if (!client.connected || state.closing) return;
      if (error !== null) {
        outage.broke(error);
        client.stream.destroy();
        return;
      }
      outage.over();
      state.ready = true;
      options.onReady();
    });
  });
  client.on("message", (topic, payload, packet) => {
    options.onMessage(topic, payload, packet.retain);
  });
  client.on("error", (error) => {
    if (!state.closing) outage.broke(error);
  });
  // Before the client's own listener, which starts the timer for the next attempt.
  client.prependListener("close", () => {
    const steady = performance.now() - state.since >= STEADY_MS;
    client.options.reconnectPeriod = steady ? FIRST_PAUSE_MS : state.pauseMs;
    state.pauseMs = Math.min(client.options.reconnectPeriod * 2, LONGEST_PAUSE_MS);
    state.since = Infinity;
    if (state.closing) return;
    outage.broke("the connection closed");
    if (!state.ready) return;
    state.ready = false;
    options.onBroken();
  });
  return {
    get ready() {
      return state.ready;
    },
    publish({ topic, payload, qos, retain = false }) {
      if (!client.connected || state.closing) return;
      client.publish(topic, payload, { qos, retain }, (error) => {
        if (error) logger.debug("publish_failed", `Could not publish on "${topic}"`, { topic });
      });
    },
    async close(last) {
      if (state.closing) return;
      state.closing = true;
      state.ready = false;
      await closeClient(client, last);
    },
  };
}

async function closeClient(client: MqttClient, last: Publication | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_DEADLINE_MS);
  });
  try {
    if (client.connected) await Promise.race([deadline, leave(client, last)]);
  } finally {
    clearTimeout(timer);
    client.end(true);
  }
}

async function leave(client: MqttClient, last: Publication | undefined): Promise<void> {
  try {
    if (last !== undefined) await client.publishAsync(last.topic, last.payload, { qos: last.qos });
    await client.endAsync();
  } catch {
    // The connection broke meanwhile: the last will speaks for us.
  }
}

function dialTcp(host: string, port: number): Duplex {
  return createConnection({ host, port, noDelay: true });
}
