/**
 * Serves gRPC on a port through sockets of its own, so that no GOAWAY gets in, for the reason told in
 * `goaway.ts`, and none out: closing ends connections by TCP alone.
 */
import type { Server } from "@grpc/grpc-js";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { FileAccessError, messageOf, PortTakenError } from "../core/errors.ts";
import { withoutGoaway } from "./goaway.ts";
import { createWideInjector } from "./windows.ts";

/** Silence of a connection after which the system looks whether the caller is there. */
const KEEPALIVE_AFTER_MS = 30_000;
/** How long closing waits for connections that were cut. Some runtimes never tell of the last one. */
const CLOSE_DEADLINE_MS = 1_000;

/** A port that is served. */
export interface Listening {
  /** `host:port`, with the port that was bound. */
  readonly address: string;
  /** Ends all connections and frees the port. */
  close(): Promise<void>;
}

/**
 * Binds a port for a server.
 *
 * @param port 0 for any free one
 * @param kind which of a client's two ports, for the error
 * @throws {PortTakenError} another process holds it
 * @throws {FileAccessError} it cannot be bound for another reason
 */
export async function listen(
  server: Server,
  host: string,
  port: number,
  kind: "sync" | "async",
): Promise<Listening> {
  const injector = createWideInjector(server);
  const sockets = new Set<Socket>();
  // A caller whose machine is gone says nothing more: the system asks it for a sign of life.
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: KEEPALIVE_AFTER_MS };
  const listener = createServer({ noDelay: true, ...keepAlive }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    injector.injectConnection(withoutGoaway(socket, "caller"));
  });
  listener.listen({ host, port, exclusive: true });
  try {
    await once(listener, "listening");
  } catch (error) {
    injector.destroy();
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") {
      const flag = `--client-num or comm_config.grpc.${kind}_port`;
      throw new PortTakenError(port, `${kind} calls on ${host}`, flag);
    }
    throw new FileAccessError(`Cannot listen on ${host} port ${port}: ${messageOf(error)}`);
  }
  const bound = listener.address() as { port: number };
  return {
    address: `${host.includes(":") ? `[${host}]` : host}:${bound.port}`,
    async close() {
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(), CLOSE_DEADLINE_MS);
      const closed = once(listener, "close", { signal: deadline.signal }).catch(() => {});
      listener.close();
      for (const socket of sockets) socket.destroy();
      server.forceShutdown();
      await closed;
      clearTimeout(timer);
    },
  };
}
