/** Bytes that are read some at a time. */
import { DataError } from "../core/errors.ts";
import { bytesOf, type NumberArray } from "./dataset.ts";

/** The first bytes, fewer if there are not as many; the others are not read. */
export async function firstBytes(
  parts: AsyncIterable<Uint8Array>,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let have = 0;
  for await (const part of parts) {
    const some = part.subarray(0, length - have);
    bytes.set(some, have);
    have += some.length;
    if (have === length) break;
  }
  return bytes.subarray(0, have);
}

/** Where elements lie in bytes. */
export interface ElementsPlace {
  /** Byte at which the first element starts. */
  readonly start: number;
  readonly bytesEach: number;
  readonly count: number;
}

/**
 * Cuts bytes between elements, each piece in a buffer of its own.
 *
 * @param label what the bytes are, for messages
 * @throws {DataError} there are fewer or more
 */
export async function* wholeElements(
  parts: AsyncIterable<Uint8Array>,
  { start, bytesEach, count }: ElementsPlace,
  label: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const expected = start + count * bytesEach;
  let have = 0;
  let rest = new Uint8Array(0);
  for await (const part of parts) {
    const from = Math.max(0, start - have);
    have += part.length;
    if (from >= part.length || have > expected) continue;
    const cut = rest.length + part.length - from;
    const length = cut - cut % bytesEach;
    const joined = new Uint8Array(cut);
    joined.set(rest);
    joined.set(part.subarray(from), rest.length);
    rest = joined.slice(length);
    if (length > 0) yield length === cut ? joined : joined.slice(0, length);
  }
  if (have === expected) return;
  throw new DataError(
    `Cannot read ${label} as it holds ${have} bytes: its header states ${expected}`,
  );
}

/** Joins small parts to blocks of at most so many bytes, each to be used before the next is read. */
export async function* inBlocks(
  parts: AsyncIterable<NumberArray>,
  bytesEach: number,
): AsyncGenerator<Uint8Array> {
  const block = new Uint8Array(bytesEach);
  let have = 0;
  for await (const part of parts) {
    if (have + part.byteLength > bytesEach && have > 0) {
      yield block.subarray(0, have);
      have = 0;
    }
    if (part.byteLength >= bytesEach) {
      yield bytesOf(part);
      continue;
    }
    block.set(bytesOf(part), have);
    have += part.byteLength;
  }
  if (have > 0) yield block.subarray(0, have);
}
