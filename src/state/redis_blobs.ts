/**
 * Blobs in Redis: one hash a blob, with its bytes in numbered pieces. It grows under a name of its
 * own and is renamed when whole, so that a blob appears at once; what a crash leaves expires.
 */
import { Buffer } from "node:buffer";
import { FlotillaError } from "../core/errors.ts";
import { BlobDigest, isBlobId, PIECE_BYTES, type Span, spanWithin } from "./blob_pieces.ts";
import type { RedisConnection } from "./redis_connection.ts";
import { FENCE, type RedisLeader } from "./redis_leader.ts";
import type { Blobs, StoredBlob } from "./store.ts";

/** Seconds from the last piece after which an unfinished upload is forgotten. */
const UPLOAD_LIFETIME_S = 3600;
/** Pieces asked for at once: 4 MiB. */
const PIECES_PER_READ = 16;
/** Keys looked at by one step of a scan. */
const KEYS_PER_SCAN = 1000;

// KEYS: upload, blob, leader. ARGV: term, pieces that must be there, bytes. False if some are not.
const PUBLISH = `
  ${FENCE}
  if redis.call('EXISTS', KEYS[2]) == 1 then
    redis.call('UNLINK', KEYS[1])
    return 1
  end
  if redis.call('HLEN', KEYS[1]) ~= tonumber(ARGV[2]) then return false end
  redis.call('HSET', KEYS[1], 'bytes', ARGV[3])
  redis.call('PERSIST', KEYS[1])
  redis.call('RENAME', KEYS[1], KEYS[2])
  return 1
`;

// KEYS: blob, -, leader. ARGV: term.
const DELETE = `${FENCE} return redis.call('UNLINK', KEYS[1])`;

/** Blobs under `flotilla:blob:`, in the making under `flotilla:upload:`. */
export class RedisBlobs implements Blobs {
  readonly #connection: RedisConnection;
  readonly #leader: RedisLeader;

  constructor(connection: RedisConnection, leader: RedisLeader) {
    this.#connection = connection;
    this.#leader = leader;
  }

  async put(
    source: Uint8Array | AsyncIterable<Uint8Array>,
    expected?: string,
  ): Promise<StoredBlob> {
    const upload = `flotilla:upload:${crypto.randomUUID()}`;
    const digest = new BlobDigest();
    let pieces = 0;
    try {
      for await (const piece of digest.through(source, expected)) {
        await this.#append(upload, pieces++, piece);
      }
      const stored = digest.finish();
      await this.#publish(upload, pieces, stored);
      return stored;
    } catch (error) {
      // If even this fails, the upload expires.
      await this.#connection.call("delete a blob", (redis) => redis.unlink(upload)).catch(() => {});
      throw error;
    }
  }

  async get(id: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return await this.range(id, 0, Number.MAX_SAFE_INTEGER);
  }

  async range(id: string, start: number, length: number): Promise<Uint8Array<ArrayBuffer> | null> {
    spanWithin(0, start, length);
    const size = await this.size(id);
    if (size === null) return null;
    const span = spanWithin(size, start, length);
    const bytes = new Uint8Array(span.end - span.start);
    return await this.#read(id, span, bytes) ? bytes : null;
  }

  async rangeInto(
    id: string,
    start: number,
    into: Uint8Array<ArrayBuffer>,
  ): Promise<number | null> {
    spanWithin(0, start, into.length);
    const size = await this.size(id);
    if (size === null) return null;
    const span = spanWithin(size, start, into.length);
    return await this.#read(id, span, into) ? span.end - span.start : null;
  }

  async has(id: string): Promise<boolean> {
    return await this.size(id) !== null;
  }

  async list(): Promise<StoredBlob[]> {
    const ids = new Set<string>();
    let cursor = "0";
    do {
      const [next, keys] = await this.#connection.call("list blobs", (redis) => {
        return redis.scan(cursor, "MATCH", keyOf("*"), "COUNT", KEYS_PER_SCAN);
      });
      for (const key of keys) ids.add(key.slice(keyOf("").length));
      cursor = next;
    } while (cursor !== "0");
    const blobs: StoredBlob[] = [];
    for (const id of ids) {
      const bytes = await this.size(id);
      if (bytes !== null) blobs.push({ id, bytes });
    }
    return blobs;
  }

  async delete(id: string): Promise<void> {
    if (!isBlobId(id)) return;
    await this.#leader.write("delete a blob", DELETE, [keyOf(id), "-"], []);
  }

  async #append(upload: string, index: number, piece: Uint8Array): Promise<void> {
    await this.#connection.call("write a blob", async (redis) => {
      await Promise.all([
        redis.hset(upload, String(index), bufferOf(piece)),
        redis.expire(upload, UPLOAD_LIFETIME_S),
      ]);
    });
  }

  async #publish(upload: string, pieces: number, { id, bytes }: StoredBlob): Promise<void> {
    const published = await this.#leader.write(
      "write a blob",
      PUBLISH,
      [upload, keyOf(id)],
      [pieces, bytes],
    );
    if (published !== null) return;
    throw new FlotillaError(
      `Cannot write a blob as Redis at ${this.#connection.address} has lost pieces of it: ` +
        "see whether it was restarted or evicts keys, then store it again",
    );
  }

  async size(id: string): Promise<number | null> {
    if (!isBlobId(id)) return null;
    const bytes = await this.#connection.call("read a blob", (redis) => {
      return redis.hget(keyOf(id), "bytes");
    });
    return bytes === null ? null : Number(bytes);
  }

  /** Reads the bytes of a span, some pieces at a time; false if the blob was deleted meanwhile. */
  async #read(id: string, { start, end }: Span, into: Uint8Array): Promise<boolean> {
    const stride = PIECES_PER_READ * PIECE_BYTES;
    for (let from = start - start % PIECE_BYTES; from < end; from += stride) {
      const count = Math.ceil((Math.min(end, from + stride) - from) / PIECE_BYTES);
      const names = Array.from({ length: count }, (_, i) => String(from / PIECE_BYTES + i));
      const pieces = await this.#connection.call("read a blob", (redis) => {
        return redis.hmgetBuffer(keyOf(id), ...names);
      });
      for (const [i, piece] of pieces.entries()) {
        if (piece === null) return false;
        const at = from + i * PIECE_BYTES;
        const wanted = piece.subarray(Math.max(0, start - at), end - at);
        into.set(wanted, Math.max(0, at - start));
      }
    }
    return true;
  }
}

function keyOf(id: string): string {
  return `flotilla:blob:${id}`;
}

/** The same memory as ioredis takes it. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}
