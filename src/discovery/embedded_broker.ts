/** An MQTT 3.1.1 broker inside this process, so that nothing has to be installed. */
import { createServer, type Server, type Socket } from "node:net";
import { PortTakenError } from "../core/errors.ts";

const DRAIN_TIMEOUT_MS = 5_000;

/** A running broker. */
export interface EmbeddedBroker {
  readonly host: string;
  readonly port: number;
  /** Disconnects everyone and frees the port. */
  close(): Promise<void>;
}

/**
 * Starts a broker; what it retains lives as long as it does.
 *
 * @param port 0 takes a free one
 * @throws {PortTakenError} another process holds the port
 */
export async function startEmbeddedBroker(host: string, port: number): Promise<EmbeddedBroker> {
  // Imported late: 18 MB and 40 ms that nobody with a broker of their own needs.
  const [{ Aedes }, { writeToStream }] = await Promise.all([
    import("aedes"),
    import("mqtt-packet"),
  ]);
  // Otherwise 65,536 small buffers (15 MB) are made at the first packet.
  writeToStream.cacheNumbers = false;
  const broker = await Aedes.createBroker({
    // With a limit, the backlog that a slow subscriber leaves behind overflows the stack.
    concurrency: 0,
    // Publishers wait for the slowest subscriber: one that hangs is disconnected.
    drainTimeout: DRAIN_TIMEOUT_MS,
  });
  // Raised when sweeping up old wills fails; an emitter without a listener would throw.
  broker.on("error" as "closed", () => {});
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once("close", () => sockets.delete(socket));
    broker.handle(readingAll(socket));
  });
  const close = async () => {
    // No new connections first, or one could slip in and keep the server open.
    const freed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await freed;
    await new Promise<void>((resolve) => broker.close(resolve));
  };
  try {
    await listen(server, host, port);
  } catch (error) {
    await close();
    throw error;
  }
  const address = server.address();
  return { host, port: typeof address === "object" && address ? address.port : port, close };
}

/**
 * Makes `read()` return all that has arrived, as streams did before Node 26 and this broker relies
 * on: given only the first buffer it would never ask for the next, and the connection would hang.
 */
function readingAll(socket: Socket): Socket {
  const readOne = socket.read.bind(socket);
  socket.read = function readAll(size?: number): Buffer | null {
    const buffers: Buffer[] = [];
    for (let next = readOne(size); next !== null; next = readOne(size)) buffers.push(next);
    return buffers.length === 0 ? null : Buffer.concat(buffers);
  };
  return socket;
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE"
          ? new PortTakenError(port, "the embedded MQTT broker", "mqtt_broker_port")
          : error,
      );
    });
    server.listen(port, host, resolve);
  });
}
