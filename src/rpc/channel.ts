/**
 * The leader's connections to addresses: each opened once for all links that use it, dialled at the
 * first call. No GOAWAY gets in, for the reason told in `goaway.ts`, and none out at the end: closing
 * ends connections by TCP alone.
 */
import { ChannelCredentials, type ChannelOptions, Client } from "@grpc/grpc-js";
import type { Socket } from "node:net";
import { cancelled, unavailable } from "./failures.ts";
import { withoutGoaway } from "./goaway.ts";

/** One address's channel as one link holds it. */
export interface Channel {
  readonly address: string;
  readonly client: Client;
  /** Whether it was released, or closed with its transport. */
  readonly closed: boolean;
  /** Lets go of it; the last holder's call closes it, and calls in flight fail. */
  release(): void;
}

/** @throws {RpcError} a call to `peer` cannot begin */
export function checkOpen(channel: Channel, peer: string, signal: AbortSignal): void {
  if (signal.aborted) throw cancelled(peer);
  if (channel.closed) throw unavailable(peer, "the link is closed");
}

interface Entry {
  readonly client: Client;
  readonly credentials: TrackingCredentials;
  holders: number;
}

/** All channels of a transport. */
export class Channels {
  readonly #options: ChannelOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: ChannelOptions) {
    this.#options = options;
  }

  /** Holds the channel to `address`, a `host:port`. */
  open(address: string): Channel {
    let entry = this.#entries.get(address);
    if (entry === undefined) {
      const credentials = new TrackingCredentials(ChannelCredentials.createInsecure());
      const client = new Client(address, credentials, this.#options);
      entry = { client, credentials, holders: 0 };
      this.#entries.set(address, entry);
    }
    const held = entry;
    held.holders++;
    let released = false;
    return {
      address,
      client: held.client,
      get closed() {
        return released || held.credentials.closed;
      },
      release: () => {
        if (released) return;
        released = true;
        held.holders--;
        if (held.holders > 0) return;
        close(held);
        if (this.#entries.get(address) === held) this.#entries.delete(address);
      },
    };
  }

  /** Closes all, whoever holds them. */
  close(): void {
    for (const entry of this.#entries.values()) close(entry);
    this.#entries.clear();
  }
}

function close({ client, credentials }: Entry): void {
  credentials.destroySockets();
  client.close();
}

type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

/**
 * Credentials that see the sockets opened with them: the one place where grpc-js hands a channel's
 * sockets out. The methods with an underscore are its own names.
 */
class TrackingCredentials extends ChannelCredentials {
  readonly #inner: ChannelCredentials;
  readonly #sockets = new Set<Socket>();
  #closed = false;

  constructor(inner: ChannelCredentials) {
    super();
    this.#inner = inner;
  }

  /** Whether {@link TrackingCredentials.destroySockets} was called. */
  get closed(): boolean {
    return this.#closed;
  }

  destroySockets(): void {
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  override compose(...args: Parameters<ChannelCredentials["compose"]>): ChannelCredentials {
    return this.#inner.compose(...args);
  }

  override _isSecure(): boolean {
    return this.#inner._isSecure();
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    ...args: Parameters<ChannelCredentials["_createSecureConnector"]>
  ): SecureConnector {
    const connector = this.#inner._createSecureConnector(...args);
    return {
      connect: (socket) => {
        if (this.#closed) throw new Error("the channel is closed");
        this.#sockets.add(socket);
        socket.on("close", () => this.#sockets.delete(socket));
        return connector.connect(withoutGoaway(socket, "callee"));
      },
      waitForReady: () => connector.waitForReady(),
      getCallCredentials: () => connector.getCallCredentials(),
      destroy: () => connector.destroy(),
    };
  }
}
