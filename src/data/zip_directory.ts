/**
 * Members of a zip, found by the directory at its end and read alone
 * (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).
 */
import { inflateSync } from "fflate";
import { DataError, messageOf } from "../core/errors.ts";
import type { DataFile } from "./folder.ts";
import { readAt } from "./read_at.ts";

/** A member. */
export interface ZipMember {
  readonly name: string;
  /** Its bytes lie there as they are. */
  readonly isStored: boolean;
  /** Bytes that it takes in the file. */
  readonly packed: number;
  /** Bytes once unpacked. */
  readonly size: number;
  /** Byte of the file at which its data start. */
  readonly start: number;
}

const END_SIGNATURE = 0x06054b50, END_BYTES = 22;
const END64_SIGNATURE = 0x06064b50, END64_BYTES = 56, LOCATOR_BYTES = 20;
const ENTRY_SIGNATURE = 0x02014b50, ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
/** A 32-bit field of this value has its number in the extra field. */
const ELSEWHERE = 0xffffffff;
const COMMENT_LIMIT = 65535;

/**
 * Lists the members.
 *
 * @throws {DataError} it is not a whole zip
 */
export function zipMembers({ label, path }: DataFile): ZipMember[] {
  using file = Deno.openSync(path);
  const { size } = file.statSync();
  const notWhole = () => new DataError(`Cannot read ${label} as it is not a whole zip`);

  const bytesAt = (start: number, length: number): DataView => {
    if (start < 0 || start + length > size) throw notWhole();
    const bytes = new Uint8Array(length);
    if (readAt(file, start, bytes) < length) throw notWhole();
    return new DataView(bytes.buffer);
  };

  const tailBytes = Math.min(size, END_BYTES + COMMENT_LIMIT + END64_BYTES + LOCATOR_BYTES);
  const tail = bytesAt(size - tailBytes, tailBytes);
  let end = tailBytes - END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== END_SIGNATURE) end -= 1;
  if (end < 0) throw notWhole();
  let directoryBytes = tail.getUint32(end + 12, true);
  let directoryStart = tail.getUint32(end + 16, true);
  const end64 = end - LOCATOR_BYTES - END64_BYTES;
  if (directoryStart === ELSEWHERE && end64 >= 0) {
    if (tail.getUint32(end64, true) !== END64_SIGNATURE) throw notWhole();
    directoryBytes = Number(tail.getBigUint64(end64 + 40, true));
    directoryStart = Number(tail.getBigUint64(end64 + 48, true));
  }

  const directory = bytesAt(directoryStart, directoryBytes);
  const members: ZipMember[] = [];
  for (let at = 0; at + ENTRY_BYTES <= directoryBytes;) {
    if (directory.getUint32(at, true) !== ENTRY_SIGNATURE) throw notWhole();
    const nameBytes = directory.getUint16(at + 28, true);
    const extraBytes = directory.getUint16(at + 30, true);
    const next = at + ENTRY_BYTES + nameBytes + extraBytes + directory.getUint16(at + 32, true);
    if (next > directoryBytes) throw notWhole();
    const name = new Uint8Array(directory.buffer, at + ENTRY_BYTES, nameBytes);
    const extra = { from: at + ENTRY_BYTES + nameBytes, bytes: extraBytes };
    const { unpacked, packed, header } = placeOf(directory, at, extra);
    const local = bytesAt(header, LOCAL_BYTES);
    members.push({
      name: new TextDecoder().decode(name),
      isStored: directory.getUint16(at + 10, true) === 0,
      packed,
      size: unpacked,
      start: header + LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true),
    });
    at = next;
  }
  return members;
}

/** Size and local header of an entry; numbers beyond 32 bits follow each other in extra field 1. */
function placeOf(directory: DataView, at: number, extra: { from: number; bytes: number }) {
  const fields = [24, 20, 42].map((field) => directory.getUint32(at + field, true));
  let wide = extra.from;
  const end = extra.from + extra.bytes;
  while (wide + 4 <= end && directory.getUint16(wide, true) !== 1) {
    wide += 4 + directory.getUint16(wide + 2, true);
  }
  wide += 4;
  const [unpacked, packed, header] = fields.map((field) => {
    if (field !== ELSEWHERE || wide + 8 > end) return field;
    wide += 8;
    return Number(directory.getBigUint64(wide - 8, true));
  });
  return { unpacked: unpacked!, packed: packed!, header: header! };
}

/**
 * The content of a member.
 *
 * @throws {DataError} it is not whole
 */
export function readMember(file: DataFile, member: ZipMember): Uint8Array<ArrayBuffer> {
  const bytes = readBytesAt(file, member.start, member.packed);
  if (member.isStored) return bytes;
  try {
    return new Uint8Array(inflateSync(bytes));
  } catch (error) {
    throw new DataError(
      `Cannot unpack ${member.name} of ${file.label} as it is not whole: ${messageOf(error)}`,
    );
  }
}

/** Bytes of a file, fewer at its end. */
export function readBytesAt(
  { path }: DataFile,
  start: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  using handle = Deno.openSync(path);
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, readAt(handle, start, bytes));
}
