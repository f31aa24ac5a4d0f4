/**
 * Cuts bytes into frames, and shares encoded frames between the clients that are sent the same
 * bytes at the same time. On this runtime many small messages are far faster than a large one.
 */
import type { Buffer } from "node:buffer";

/** Bytes of a frame unless told otherwise. */
export const DEFAULT_FRAME_BYTES = 256 * 1024;
/** The largest frame that a sender may choose. */
export const MAX_FRAME_BYTES = 1024 * 1024;

/** Bytes of frames that wait for slower transfers of the same bytes. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

/** @throws {RangeError} not a whole number from 1 to {@link MAX_FRAME_BYTES} */
export function checkFrameBytes(frameBytes: number): number {
  if (Number.isInteger(frameBytes) && frameBytes >= 1 && frameBytes <= MAX_FRAME_BYTES) {
    return frameBytes;
  }
  throw new RangeError(`Cannot send frames of ${frameBytes} bytes: 1 to ${MAX_FRAME_BYTES}`);
}

/** Views of `bytes`, one a frame; none for no bytes. */
export function* framesOf(bytes: Uint8Array, frameBytes: number): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += frameBytes) {
    yield bytes.subarray(start, start + frameBytes);
  }
}

interface Shared {
  /** Transfers that go on. */
  transfers: number;
  /** Frame by index, with how many transfers have taken it. */
  readonly frames: Map<number, { readonly encoded: Buffer; taken: number }>;
}

/** Encodes each frame once for all transfers of the same bytes that go on at the same time. */
export class SharedFrames {
  readonly #encode: (frame: Uint8Array) => Buffer;
  readonly #frameBytes: number;
  readonly #shared = new WeakMap<Uint8Array, Shared>();

  constructor(encode: (frame: Uint8Array) => Buffer, frameBytes: number) {
    this.#encode = encode;
    this.#frameBytes = frameBytes;
  }

  /**
   * Joins the transfers of `bytes`. A frame is kept until all who have joined took it, or until many
   * later ones were kept: a transfer that falls far behind encodes its own, and none holds a second
   * model.
   */
  join(bytes: Uint8Array): Transfer {
    let shared = this.#shared.get(bytes);
    if (shared === undefined) {
      shared = { transfers: 0, frames: new Map() };
      this.#shared.set(bytes, shared);
    }
    shared.transfers++;
    return { frames: this.#take(bytes, shared), leave: this.#leave(bytes, shared) };
  }

  *#take(bytes: Uint8Array, shared: Shared): Generator<Buffer> {
    const { frames } = shared;
    let index = 0;
    for (const view of framesOf(bytes, this.#frameBytes)) {
      const frame = frames.get(index) ?? { encoded: this.#encode(view), taken: 0 };
      frame.taken++;
      frames.delete(index);
      if (frame.taken < shared.transfers) {
        frames.set(index, frame);
        if (frames.size * this.#frameBytes > MAX_KEPT_BYTES) frames.delete(oldest(frames));
      }
      index++;
      yield frame.encoded;
    }
  }

  #leave(bytes: Uint8Array, shared: Shared): () => void {
    let joined = true;
    return () => {
      if (!joined) return;
      joined = false;
      shared.transfers--;
      if (shared.transfers === 0) this.#shared.delete(bytes);
    };
  }
}

/** The frame that was kept first: a `Map` gives its keys in the order of their setting. */
function oldest(frames: ReadonlyMap<number, unknown>): number {
  for (const index of frames.keys()) return index;
  throw new RangeError("Cannot find the oldest of no frames");
}

/** One client's part in sending shared bytes. */
export interface Transfer {
  /** The encoded frames in order. */
  readonly frames: Iterable<Buffer>;
  /** Must be called at the end, whatever it was. */
  leave(): void;
}
