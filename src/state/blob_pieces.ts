/**
 * How blobs are cut, counted and named: pieces of a fixed size while they are put, a checked span
 * of bytes when a part is read. All three stores cut alike.
 */
import { createHash } from "node:crypto";
import { WeightsError } from "../core/errors.ts";
import type { StoredBlob } from "./store.ts";

/** Bytes in a piece: large enough for throughput, small enough to hash without a pause. */
export const PIECE_BYTES = 256 * 1024;

/** Buffers of {@link PIECE_BYTES} that have served: used again, as garbage of their size is slow to go. */
const spareBuffers: Uint8Array[] = [];
const MAX_SPARE_BUFFERS = 16;

/** Tells whether `id` has the form of a blob's id; another one names no blob (and no file). */
export function isBlobId(id: string): boolean {
  return /^[0-9a-f]{64}$/.test(id);
}

/** The bytes `[start, end)` of a blob that a read of `length` bytes from `start` covers. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts a wanted range to what a blob of `size` bytes has; empty if it starts behind the end.
 *
 * @throws {RangeError} `start` or `length` is negative or not whole
 */
export function spanWithin(size: number, start: number, length: number): Span {
  for (const [name, value] of [["start", start], ["length", length]] as const) {
    if (Number.isInteger(value) && value >= 0) continue;
    throw new RangeError(
      `Cannot read a range of a blob as ${name} is ${value}: give a whole number from 0`,
    );
  }
  const first = Math.min(start, size);
  return { start: first, end: Math.min(first + length, size) };
}

/**
 * The same bytes in pieces of exactly `pieceBytes`, only the last one shorter; none if there are no
 * bytes. A piece is valid until the next is asked for, as its buffer is used again.
 */
export async function* inPieces(
  source: Uint8Array | AsyncIterable<Uint8Array>,
  pieceBytes: number = PIECE_BYTES,
): AsyncGenerator<Uint8Array> {
  const chunks = source instanceof Uint8Array ? [source] : source;
  let buffer: Uint8Array | undefined;
  let filled = 0;
  try {
    for await (const chunk of chunks) {
      for (let taken = 0; taken < chunk.length;) {
        if (filled === 0 && chunk.length - taken >= pieceBytes) {
          yield chunk.subarray(taken, taken + pieceBytes);
          taken += pieceBytes;
          continue;
        }
        buffer ??= bufferOf(pieceBytes);
        const part = chunk.subarray(taken, taken + pieceBytes - filled);
        buffer.set(part, filled);
        filled += part.length;
        taken += part.length;
        if (filled < pieceBytes) continue;
        yield buffer;
        filled = 0;
      }
    }
    if (filled > 0) yield buffer!.subarray(0, filled);
  } finally {
    const isSpare = buffer?.length === PIECE_BYTES && spareBuffers.length < MAX_SPARE_BUFFERS;
    if (isSpare) spareBuffers.push(buffer!);
  }
}

function bufferOf(bytes: number): Uint8Array {
  return (bytes === PIECE_BYTES ? spareBuffers.pop() : undefined) ?? new Uint8Array(bytes);
}

/** Counts and hashes the bytes of a blob while they pass. */
export class BlobDigest {
  readonly #hash = createHash("sha256");
  #bytes = 0;
  #id: string | null = null;

  add(piece: Uint8Array): void {
    this.#hash.update(piece);
    this.#bytes += piece.length;
  }

  /**
   * Yields the pieces of a source (see {@link inPieces}) and adds each.
   *
   * @param expected the blob's id, if it is known before
   * @throws {WeightsError} behind the last piece: the bytes have another id than expected
   */
  async *through(
    source: Uint8Array | AsyncIterable<Uint8Array>,
    expected?: string,
  ): AsyncGenerator<Uint8Array> {
    for await (const piece of inPieces(source)) {
      this.add(piece);
      yield piece;
    }
    if (expected === undefined || this.finish().id === expected) return;
    throw new WeightsError(
      `Cannot store bytes with hash ${this.finish().id}: they claim ${expected}`,
    );
  }

  /** The blob's id and size; nothing can be added afterwards. */
  finish(): StoredBlob {
    this.#id ??= this.#hash.digest("hex");
    return { id: this.#id, bytes: this.#bytes };
  }
}
