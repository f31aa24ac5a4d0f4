/** Leaders and clients over MQTT on one broker, with connections that a test can break. */
import { createConnection } from "node:net";
import { Duplex } from "node:stream";
import { startEmbeddedBroker } from "../../src/discovery/embedded_broker.ts";
import { connectClient } from "../../src/discovery/mqtt_client.ts";
import { connectLeader } from "../../src/discovery/mqtt_leader.ts";
import { createLogger, type LogRecord } from "../../src/log/log.ts";
import type { BreakableClient, DiscoveryWorld } from "../contract/discovery_suite.ts";
import { Collected } from "../fixtures/collected.ts";
import { freePort } from "../fixtures/free_port.ts";
import { startMosquitto } from "../fixtures/mosquitto.ts";

/** A broker that a test started. */
export interface TestBroker {
  readonly port: number;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Ends it for good. */
  remove(): Promise<void>;
}

/** A world over MQTT: its broker and its leaders' log can be looked at. */
export interface MqttWorld extends DiscoveryWorld {
  readonly broker: TestBroker;
  readonly leaderLog: Collected<LogRecord>;
  client(id: string): Promise<MqttTestClient>;
}

/** A client whose connection can also break for a moment. */
export interface MqttTestClient extends BreakableClient {
  /** Its connection breaks; it dials again. */
  interrupt(): void;
}

/** The embedded broker as a test broker. */
export async function embeddedTestBroker(): Promise<TestBroker> {
  const port = await freePort();
  let broker = await startEmbeddedBroker("127.0.0.1", port);
  return {
    port,
    async start() {
      broker = await startEmbeddedBroker("127.0.0.1", port);
    },
    stop: () => broker.close(),
    remove: () => broker.close(),
  };
}

/** Brokers by the name under which tests speak of them. */
export const BROKERS: Readonly<Record<string, () => Promise<TestBroker>>> = {
  "MQTT (embedded)": embeddedTestBroker,
  "MQTT (Mosquitto)": startMosquitto,
};

/** Makes a world on a broker. */
export function mqttWorld(broker: TestBroker): MqttWorld {
  const members: { close(): Promise<void> }[] = [];
  const leaderLog = new Collected<LogRecord>();
  const address = { host: "127.0.0.1", port: broker.port };
  return {
    broker,
    leaderLog,
    async leader() {
      const leader = await connectLeader({ ...address, logger: createLogger(leaderLog.add) });
      members.push(leader);
      return leader;
    },
    async client(clientId) {
      const line = breakableLine();
      const logger = createLogger(() => {});
      const discovery = await connectClient({ ...address, clientId, logger, dial: line.dial });
      members.push(discovery);
      return { discovery, crash: line.cut, interrupt: line.interrupt };
    },
    async close() {
      await Promise.all(members.map((member) => member.close()));
      await broker.remove();
    },
  };
}

function breakableLine() {
  let stream: Duplex | undefined;
  let whole = true;
  const interrupt = () => {
    stream?.destroy();
  };
  return {
    interrupt,
    dial(host: string, port: number): Duplex {
      stream = whole ? createConnection({ host, port }) : brokenStream();
      return stream;
    },
    cut() {
      whole = false;
      interrupt();
    },
  };
}

/** A stream that breaks as soon as it was made, like a connection to a machine that is gone. */
export function brokenStream(): Duplex {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  setTimeout(() => stream.destroy(), 0);
  return stream;
}
