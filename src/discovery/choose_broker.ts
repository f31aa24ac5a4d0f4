/** Which broker a leader uses: the one that is there, its own, or the configured one. */
import { createConnection } from "node:net";
import { PortTakenError, UnreachableError } from "../core/errors.ts";
import { type EmbeddedBroker, startEmbeddedBroker } from "./embedded_broker.ts";

/** An MQTT 3.1.1 CONNECT with a clean session, keepalive 10 s and an empty client id. */
const CONNECT = Uint8Array.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 10, 0, 0);
const DISCONNECT = Uint8Array.of(0xe0, 0);
const CONNACK = 0x20;
/** Only a port that is open and silent makes us wait so long: a broker answers in milliseconds. */
const PROBE_DEADLINE_MS = 1_000;

/** How to choose. */
export interface BrokerChoice {
  /** `auto`, `embedded`, or the host name of a broker. */
  readonly broker: string;
  readonly port: number;
  /** Address to which an embedded broker binds. @default "127.0.0.1" */
  readonly bindHost?: string;
}

/** The broker to use. */
export interface ChosenBroker {
  /** Where this process reaches it. */
  readonly host: string;
  readonly port: number;
  readonly kind: "found" | "embedded" | "configured";
  /** A sentence that says which it is. */
  readonly description: string;
  /** Stops the broker if it is our own. */
  close(): Promise<void>;
}

/**
 * Finds or starts the broker.
 *
 * @throws {PortTakenError} an embedded broker cannot have the port
 * @throws {UnreachableError} `auto` met something else, or a broker that refuses us, on the port
 */
export async function chooseBroker(choice: BrokerChoice): Promise<ChosenBroker> {
  const { broker, port } = choice;
  switch (broker) {
    case "embedded":
      return await embedded(choice);
    case "auto":
      return await findBroker(port) ?? await embeddedOrFound(choice);
    default:
      return {
        host: broker,
        port,
        kind: "configured",
        description: `Using the configured MQTT broker on ${broker}:${port}`,
        close: () => Promise.resolve(),
      };
  }
}

async function embeddedOrFound(choice: BrokerChoice): Promise<ChosenBroker> {
  try {
    return await embedded(choice);
  } catch (error) {
    // Another leader may have started its broker since we looked.
    const found = error instanceof PortTakenError ? await findBroker(choice.port) : null;
    if (found === null) throw error;
    return found;
  }
}

async function embedded({ port, bindHost = "127.0.0.1" }: BrokerChoice): Promise<ChosenBroker> {
  const broker: EmbeddedBroker = await startEmbeddedBroker(bindHost, port);
  return {
    host: bindHost === "0.0.0.0" || bindHost === "::" ? "127.0.0.1" : bindHost,
    port: broker.port,
    kind: "embedded",
    description: `Started an MQTT broker on ${bindHost}:${broker.port}`,
    close: () => broker.close(),
  };
}

async function findBroker(port: number): Promise<ChosenBroker | null> {
  const answer = await probeBroker("localhost", port);
  switch (answer) {
    case "closed":
      return null;
    case "broker":
      return {
        host: "localhost",
        port,
        kind: "found",
        description: `Using the MQTT broker found on localhost:${port}`,
        close: () => Promise.resolve(),
      };
    case "refused":
      throw new UnreachableError(
        `Cannot use the MQTT broker on localhost:${port} as it refuses anonymous clients: ` +
          "allow them, or set another mqtt_broker_port",
      );
    case "other":
      throw new UnreachableError(
        `Cannot use port ${port} for MQTT as something that is not an MQTT broker holds it: ` +
          "set another mqtt_broker_port",
      );
  }
}

/** What a port turned out to be. */
export type ProbeAnswer = "closed" | "broker" | "refused" | "other";

/** Asks a port for an MQTT session and leaves again; never throws. */
export function probeBroker(
  host: string,
  port: number,
  deadlineMs: number = PROBE_DEADLINE_MS,
): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    let opened = false;
    const received: number[] = [];
    const finish = (answer: ProbeAnswer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(opened ? "other" : "closed"), deadlineMs);
    socket.on("connect", () => {
      opened = true;
      socket.write(CONNECT);
    });
    socket.on("data", (bytes: Uint8Array) => {
      received.push(...bytes.subarray(0, 4));
      if (received[0] !== CONNACK) return finish("other");
      if (received.length < 4) return;
      if (received[3] !== 0) return finish("refused");
      socket.end(DISCONNECT, () => finish("broker"));
    });
    socket.on("error", () => finish(opened ? "other" : "closed"));
    socket.on("close", () => finish(opened ? "other" : "closed"));
  });
}
