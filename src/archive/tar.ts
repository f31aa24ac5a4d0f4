/**
 * Tar files (ustar) as far as archives need them: regular files under short names, written as a
 * stream, read at random. Any tar program can look into them.
 */
import { ArchiveError } from "../core/errors.ts";

const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
/** Where a header has its fields. */
const FIELDS = { mode: 100, uid: 108, gid: 116, size: 124, time: 136, sum: 148, type: 156 };
const MAGIC_AT = 257;
const MAGIC = "ustar\0" + "00";

/** A file to be written. */
export interface TarEntry {
  /** At most 100 bytes. */
  readonly name: string;
  readonly bytes: number;
  /** Exactly so many bytes. */
  readonly content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Where a file lies in a tar file. */
export interface TarPlace {
  readonly start: number;
  readonly bytes: number;
}

/** Reads `length` bytes from `start`, fewer at the end. */
export type ReadAt = (start: number, length: number) => Promise<Uint8Array>;

/** The bytes of a tar file. @throws {ArchiveError} an entry has more or fewer bytes than it says */
export async function* tarBytes(
  entries: AsyncIterable<TarEntry> | Iterable<TarEntry>,
): AsyncGenerator<Uint8Array> {
  for await (const { name, bytes, content } of entries) {
    yield header(name, bytes);
    let written = 0;
    for await (const piece of content) {
      written += piece.length;
      yield piece;
    }
    if (written !== bytes) {
      throw new ArchiveError(
        `Cannot archive ${name} as it has ${written} bytes: expected ${bytes}`,
      );
    }
    yield new Uint8Array(paddingOf(bytes));
  }
  yield new Uint8Array(2 * BLOCK_BYTES);
}

/**
 * Finds the files of a tar file by their names; null if it is not one.
 *
 * @returns the places, and whether the file has its end
 */
export async function tarPlaces(
  read: ReadAt,
): Promise<{ readonly places: Map<string, TarPlace>; readonly whole: boolean } | null> {
  const places = new Map<string, TarPlace>();
  for (let at = 0;;) {
    const block = await read(at, BLOCK_BYTES);
    if (block.length < BLOCK_BYTES) return at === 0 ? null : { places, whole: false };
    if (block.every((byte) => byte === 0)) return at === 0 ? null : { places, whole: true };
    if (!isHeader(block)) return at === 0 ? null : { places, whole: false };
    const bytes = Number.parseInt(textAt(block, FIELDS.size, 12), 8);
    const start = at + BLOCK_BYTES;
    places.set(textAt(block, 0, NAME_BYTES), { start, bytes });
    at = start + bytes + paddingOf(bytes);
  }
}

function header(name: string, bytes: number): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const put = (at: number, text: string) => block.set(new TextEncoder().encode(text), at);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  if (new TextEncoder().encode(name).length > NAME_BYTES) {
    throw new ArchiveError(
      `Cannot archive "${name}" as its name is longer than ${NAME_BYTES} bytes`,
    );
  }
  put(0, name);
  put(FIELDS.mode, `${octal(0o644, 7)}\0`);
  put(FIELDS.uid, `${octal(0, 7)}\0`);
  put(FIELDS.gid, `${octal(0, 7)}\0`);
  put(FIELDS.size, `${octal(bytes, 11)}\0`);
  // No time: the same content gives the same bytes.
  put(FIELDS.time, `${octal(0, 11)}\0`);
  put(FIELDS.type, "0");
  put(MAGIC_AT, MAGIC);
  put(FIELDS.sum, `${octal(sumOf(block), 6)}\0 `);
  return block;
}

function isHeader(block: Uint8Array): boolean {
  return textAt(block, MAGIC_AT, 5) === "ustar" &&
    Number.parseInt(textAt(block, FIELDS.sum, 8), 8) === sumOf(block);
}

/** Sum of a header's bytes, those of the sum itself read as spaces. */
function sumOf(block: Uint8Array): number {
  return block.reduce((sum, byte, i) => sum + (i >= FIELDS.sum && i < FIELDS.type ? 32 : byte), 0);
}

function textAt(block: Uint8Array, at: number, length: number): string {
  const text = new TextDecoder().decode(block.subarray(at, at + length));
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

function paddingOf(bytes: number): number {
  return (BLOCK_BYTES - bytes % BLOCK_BYTES) % BLOCK_BYTES;
}
