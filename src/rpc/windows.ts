/** How much of one transfer may be between two processes, and thus in the memory of either. */
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import type { Http2Server, ServerHttp2Session } from "node:http2";

/**
 * Bytes that may arrive before the sender must wait for the receiver to take them. Stock is 64 KiB,
 * which makes large transfers wait for the event loop several times a frame.
 */
export const WINDOW_BYTES = 1024 * 1024;

/** Bytes of a transfer that a process may hold at once: all of a small one, a window of a large one. */
export function placeOf(bytes: number): number {
  return Math.min(bytes, WINDOW_BYTES);
}

/** What grpc-js keeps in its server: it offers window sizes as an option to its client only. */
interface ServerInternals {
  readonly commonServerOptions?: { settings?: { initialWindowSize: number } };
  readonly http2Servers?: Map<Http2Server, unknown>;
}

/**
 * A way to hand sockets to the server, with wide windows for each call and connection: 100 MB take
 * half of the time, small weights for many clients a third. Without the internals that it knows it
 * leaves the stock windows.
 */
export function createWideInjector(server: Server): ReturnType<Server["createConnectionInjector"]> {
  const { commonServerOptions, http2Servers } = server as unknown as ServerInternals;
  if (commonServerOptions) commonServerOptions.settings = { initialWindowSize: WINDOW_BYTES };
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  for (const http2Server of http2Servers?.keys() ?? []) {
    http2Server.on("session", (session: ServerHttp2Session) => {
      session.setLocalWindowSize(WINDOW_BYTES);
    });
  }
  return injector;
}
