/** Puts the REST app on a socket, and takes it off without cutting answers short. */
import type { Hono } from "hono";
import { FlotillaError, messageOf, PortTakenError } from "../../core/errors.ts";
import type { RestEnv } from "./context.ts";
import { isLoopback } from "./foreign_sites.ts";

/** Where {@link serveRest} listens. */
export interface ServeOptions {
  /** @default {"127.0.0.1"} */
  readonly hostname?: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Milliseconds that other answers under way have to end when the server closes. @default {5000} */
  readonly graceMs?: number;
}

/** A REST server that listens. */
export interface RestServer {
  readonly hostname: string;
  readonly port: number;
  /** Takes no more requests, ends event streams, and resolves when all answers are out or late. */
  close(): Promise<void>;
}

/**
 * Serves the app. Prints nothing.
 *
 * @throws {PortTakenError} another process has the port
 * @throws {FlotillaError} the host name or port cannot be bound
 */
export function serveRest(app: Hono<RestEnv>, options: ServeOptions): RestServer {
  const { hostname = "127.0.0.1", port, graceMs = 5000 } = options;
  const closing = new AbortController();
  const serving = { loopback: isLoopback(hostname), closing: closing.signal };
  const server = listen(
    { hostname, port, onListen() {} },
    (request) => app.fetch(request, serving),
  );
  return {
    hostname: server.addr.hostname,
    port: server.addr.port,
    async close() {
      closing.abort(new FlotillaError("Cannot go on as the server closes"));
      const grace = Promise.withResolvers<void>();
      const timer = setTimeout(grace.resolve, graceMs);
      await Promise.race([server.shutdown(), grace.promise]);
      clearTimeout(timer);
    },
  };
}

function listen(
  options: Deno.ServeTcpOptions & { readonly hostname: string; readonly port: number },
  handler: Deno.ServeHandler,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve(options, handler);
  } catch (error) {
    const { hostname, port } = options;
    if (error instanceof Deno.errors.AddrInUse) {
      throw new PortTakenError(port, "REST", "--rest-port");
    }
    throw new FlotillaError(`Cannot serve REST on ${hostname}:${port}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
