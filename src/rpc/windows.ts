/** Makes a client's ports take large transfers at full speed. */
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import type { Http2Server, ServerHttp2Session } from "node:http2";

/** Bytes that may arrive before the sender must wait for this process; stock is 64 KiB. */
const WINDOW_BYTES = 4 * 1024 * 1024;

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
