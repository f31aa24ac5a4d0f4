/**
 * A TCP relay that misbehaves on demand: it cuts, resets, stalls or slows down what runs through it,
 * as networks do between two programs that are both alive.
 */
import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";

/** Where a relay listens and whereto it passes. */
export interface TcpProxyOptions {
  /** Address to listen on. @default {"127.0.0.1"} */
  readonly host?: string;
  /** Port to listen on; 0 for any free one. @default {0} */
  readonly port?: number;
  /** Port of 127.0.0.1 to connect to. */
  readonly to: number;
}

/** A listening relay. */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #to: number;
  readonly #sockets = new Set<Socket>();
  /** While stalled nothing passes; who waits is woken at its end. */
  #stalled: Promise<void> | null = null;
  #bytesPerSecond = Infinity;
  #passed = 0;
  #onPassed = () => {};

  private constructor(to: number) {
    this.#to = to;
    this.#server = createServer((socket) => this.#relay(socket));
  }

  /** Starts to listen. */
  static async start({ host = "127.0.0.1", port = 0, to }: TcpProxyOptions): Promise<TcpProxy> {
    const proxy = new TcpProxy(to);
    proxy.#server.listen(port, host);
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Resolves when so many more bytes have passed, both ways together. */
  async passes(bytes: number): Promise<void> {
    const goal = this.#passed + bytes;
    while (this.#passed < goal) {
      await new Promise<void>((resolve) => this.#onPassed = resolve);
    }
  }

  /** Ends all connections in order: whatever is under way is cut in its middle. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends all connections with a TCP reset. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Lets nothing pass for a while, with all connections standing. */
  async stall(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stalled = promise;
    await new Promise((passed) => setTimeout(passed, ms));
    this.#stalled = null;
    resolve();
  }

  /** Passes at most this many bytes a second each way and connection, for a while. */
  async throttle(bytesPerSecond: number, ms: number): Promise<void> {
    this.limit(bytesPerSecond);
    await new Promise((passed) => setTimeout(passed, ms));
    this.limit(Infinity);
  }

  /** From now on passes at most this many bytes a second each way and connection. */
  limit(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #relay(socket: Socket): void {
    const peer = createConnection({ host: "127.0.0.1", port: this.#to, noDelay: true });
    socket.setNoDelay(true);
    for (const [from, to] of [[socket, peer], [peer, socket]] as const) {
      this.#sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      void this.#pass(from, to);
    }
  }

  async #pass(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const bytes of from as AsyncIterable<Uint8Array>) {
        while (this.#stalled !== null) await this.#stalled;
        if (Number.isFinite(this.#bytesPerSecond)) {
          const ms = bytes.length / this.#bytesPerSecond * 1000;
          await new Promise((passed) => setTimeout(passed, ms));
        }
        if (to.destroyed) return;
        this.#passed += bytes.length;
        this.#onPassed();
        if (!to.write(bytes)) await Promise.race([once(to, "drain"), once(to, "close")]);
      }
      to.end();
    } catch {
      // Cut off; the sockets' own listeners end the other side.
    }
  }
}
