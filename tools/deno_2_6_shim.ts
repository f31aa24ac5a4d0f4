/**
 * Makes Deno 2.6 do what the program expects of a later version: `node:http2` as grpc-js uses it,
 * timers that are objects, and file locks. Only the executable that `deno task compile:check` makes has it, as its first
 * module.
 */
import http2 from "node:http2";
import net from "node:net";
import { once } from "node:events";
import { Duplex } from "node:stream";
import timers from "node:timers";

type Headers = Record<string, unknown>;

/** What is used and replaced here of a server's stream. */
interface ServerStream {
  readonly session?: object;
  respond(headers: Headers, options?: { endStream?: boolean; waitForTrailers?: boolean }): void;
  sendTrailers(trailers: Headers): void;
  once(event: "wantTrailers", listener: () => void): void;
  end(): void;
}

/** The module as an object whose members can be replaced. */
const module = http2 as unknown as {
  getDefaultSettings(): object;
  createServer(...args: unknown[]): net.Server;
  connect(authority: string, options?: ConnectOptions, listener?: () => void): net.Socket;
};

interface ConnectOptions {
  createConnection?: (...args: unknown[]) => net.Socket;
}

const settings = {
  headerTableSize: 4096,
  enablePush: true,
  initialWindowSize: 65535,
  maxFrameSize: 16384,
  maxHeaderListSize: 65535,
};
/** The address of a stream's peer is not known there; nothing of it is used without TLS. */
const unknownPeer = { remoteAddress: "", remotePort: 0, localAddress: "", localPort: 0 };
/** The window of a connection cannot be changed there, which costs speed alone. */
const fixedWindow = { setLocalWindowSize() {}, incrementWindowSize() {} };

const createServer = module.createServer;
const connect = module.connect;
const softened = new WeakSet<object>();

module.getDefaultSettings = () => settings;

module.createServer = function createServerWithPlainStreams(...args) {
  const server = createServer(...args);
  const emit = server.emit as (event: string, ...values: unknown[]) => boolean;
  let own: Promise<number> | undefined;
  function emitSoftened(this: net.Server, event: string, ...values: unknown[]): boolean {
    if (event === "connection" && values[0] instanceof Duplex) {
      own ??= openOwnPort(server);
      void own.then((port) => bridge(values[0] as Duplex, port));
      return true;
    }
    if (event === "stream") soften(values[0] as ServerStream);
    if (event === "session") Object.assign(values[0] as object, fixedWindow);
    return emit.call(this, event, ...values);
  }
  return Object.assign(server, { emit: emitSoftened });
};

/** A server there takes connections of its own port alone, so streams handed to it go through one. */
async function openOwnPort(server: net.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  return (server.address() as net.AddressInfo).port;
}

function bridge(given: Duplex, port: number): void {
  const inner = net.connect(port, "127.0.0.1");
  given.pipe(inner).pipe(given);
  inner.on("error", () => given.destroy());
  given.on("error", () => inner.destroy());
  inner.on("close", () => given.destroy());
  given.on("close", () => inner.destroy());
}

/** A session there cannot take over a socket that already reads, so it gets one of its own. */
module.connect = function connectBySelf(authority, options, listener) {
  const given = options?.createConnection?.();
  const own = given === undefined ? options : {
    ...options,
    createConnection: () =>
      net.connect(
        {
          host: given.remoteAddress,
          port: given.remotePort,
          pauseOnCreate: true,
        } as net.NetConnectOpts,
      ),
  };
  const session = Object.assign(connect(authority, own, listener), fixedWindow);
  given?.resume();
  session.once("close", () => given?.destroy());
  // It never tells what the peer's settings are, which grpc-js waits for.
  session.once("connect", () => queueMicrotask(() => session.emit("remoteSettings", settings)));
  return session;
};

/** Numbers as text, and an answer of trailers alone as headers followed by trailers. */
function soften(stream: ServerStream): void {
  if (stream.session !== undefined && !Object.hasOwn(stream.session, "socket")) {
    Object.defineProperty(stream.session, "socket", { value: unknownPeer });
  }
  const prototype = Object.getPrototypeOf(stream) as ServerStream;
  if (softened.has(prototype)) return;
  softened.add(prototype);
  const { respond, sendTrailers } = prototype;
  prototype.sendTrailers = function sendTextTrailers(trailers) {
    sendTrailers.call(this, asText(trailers));
  };
  prototype.respond = function respondWithText(headers, options) {
    if (options?.endStream !== true) return respond.call(this, asText(headers), options);
    const entries = Object.entries(headers);
    const isHead = (name: string) => name.startsWith(":") || name === "content-type";
    this.once("wantTrailers", () => {
      this.sendTrailers(Object.fromEntries(entries.filter(([name]) => !isHead(name))));
    });
    const head = Object.fromEntries(entries.filter(([name]) => isHead(name)));
    respond.call(this, head, { ...options, endStream: false, waitForTrailers: true });
    this.end();
  };
}

function asText(headers: Headers): Headers {
  const text = (value: unknown) => Array.isArray(value) ? value.map(String) : String(value);
  return Object.fromEntries(
    Object.entries(headers).map((
      [name, value],
    ) => [name, name.startsWith(":") ? value : text(value)]),
  );
}

// The files of a check are its own, so a lock that would wait never has to.
Object.assign(Deno.FsFile.prototype, {
  async tryLock(this: Deno.FsFile, exclusive?: boolean): Promise<boolean> {
    await this.lock(exclusive);
    return true;
  },
  tryLockSync(this: Deno.FsFile, exclusive?: boolean): boolean {
    this.lockSync(exclusive);
    return true;
  },
});

// Bundled npm packages see the global timers, which give plain numbers there.
const { setTimeout, setInterval, clearTimeout, clearInterval } = timers;
Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval });
