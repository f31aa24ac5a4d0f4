/**
 * Keeps HTTP/2's GOAWAY frames from this process. Once a connection has carried some dozens of calls,
 * a GOAWAY aborts the receiving process on this runtime: an assertion of nghttp2 in
 * `find_stream_on_goaway_func` fails (https://github.com/denoland/deno/issues/36788). Nothing is lost
 * without it: it announces that the connection will be closed, and the close itself still arrives.
 */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** Length (24 bits), type, flags, stream id (32 bits). */
const HEADER_BYTES = 9;
const GOAWAY = 7;
/** What a caller sends ahead of its frames. */
const PREFACE_BYTES = 24;

/** Walks through the frames of one direction of a connection. */
export class FrameFilter {
  /** Bytes that pass before the next frame's header. */
  #passing: number;
  /** Bytes of a GOAWAY that are still to be dropped. */
  #dropping = 0;
  /** The beginning of a header whose rest has not come. */
  #held: Buffer = Buffer.alloc(0);

  /** @param from which side the bytes come from: a caller sends a preface first */
  constructor(from: "caller" | "callee") {
    this.#passing = from === "caller" ? PREFACE_BYTES : 0;
  }

  /** The bytes to pass on: `chunk` itself if nothing is dropped, as nearly always. */
  pass(chunk: Buffer): Buffer {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    const kept: Buffer[] = [];
    let start = 0;
    let at = 0;
    while (at < bytes.length) {
      const rest = bytes.length - at;
      if (this.#dropping > 0) {
        const dropped = Math.min(this.#dropping, rest);
        this.#dropping -= dropped;
        at += dropped;
        start = at;
      } else if (this.#passing > 0) {
        const passed = Math.min(this.#passing, rest);
        this.#passing -= passed;
        at += passed;
      } else if (rest < HEADER_BYTES) {
        this.#held = bytes.subarray(at);
        break;
      } else if (bytes[at + 3] === GOAWAY) {
        kept.push(bytes.subarray(start, at));
        this.#dropping = HEADER_BYTES + bytes.readUIntBE(at, 3);
      } else {
        this.#passing = HEADER_BYTES + bytes.readUIntBE(at, 3);
      }
    }
    const last = bytes.subarray(start, at);
    return kept.length === 0 ? last : Buffer.concat([...kept, last]);
  }
}

/**
 * A connection whose GOAWAY frames never arrive.
 *
 * @param from who is at the other end
 */
export function withoutGoaway(socket: Socket, from: "caller" | "callee"): Socket {
  // http2 and grpc-js use a socket as a stream, and the few members that the class adds.
  return new FilteredSocket(socket, new FrameFilter(from)) as unknown as Socket;
}

class FilteredSocket extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket, filter: FrameFilter) {
    super();
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      const passed = filter.pass(chunk);
      if (passed.length > 0 && !this.push(passed)) socket.pause();
    });
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
  }

  get remoteAddress() {
    return this.#socket.remoteAddress;
  }

  get remotePort() {
    return this.#socket.remotePort;
  }

  get localAddress() {
    return this.#socket.localAddress;
  }

  get localPort() {
    return this.#socket.localPort;
  }

  setNoDelay(): void {}

  setKeepAlive(): void {}

  setTimeout(): void {}

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
