/** The items of an `.npy` that is larger than the memory allowed: by index, or in their order. */
import { DataError } from "../core/errors.ts";
import {
  BYTES_EACH,
  elements,
  type NumberType,
  type StoredData,
  type StreamedData,
} from "./dataset.ts";
import type { DataFile } from "./folder.ts";
import { type NpyHeader, npyNumbers, type NpyType, parseNpyHeader } from "./npy.ts";
import { itemShape } from "./npz.ts";
import { openItems } from "./stored_items.ts";
import { firstBytes, wholeElements } from "./parts.ts";
import { readBytesAt } from "./zip_directory.ts";

/** NumPy's headers are a line of text; one of these many bytes describes no array of numbers. */
const HEADER_BYTES = 4096;

/** What numbers are in memory. */
const IN_MEMORY: Readonly<Record<NpyType, NumberType>> = {
  u1: "u8",
  i4: "i32",
  i8: "i32",
  f4: "f32",
  f8: "f32",
};

/** An `.npy` that lies in a file as it is. */
export interface NpyPlace {
  readonly file: DataFile;
  /** Byte of the file at which it starts. */
  readonly start: number;
  readonly size: number;
}

/**
 * Items that stay on disk; null if they take at most so many bytes in memory, or would lie there in
 * another way.
 *
 * @throws {DataError} not an npy file of items, or of another size than its header states
 */
export function openNpyItems(
  { file, start, size }: NpyPlace,
  label: string,
  budgetBytes: number,
): Pick<StoredData, "items" | "shape"> | null {
  const header = parseNpyHeader(readBytesAt(file, start, HEADER_BYTES), label);
  const bytes = header.start + elements(header.shape) * bytesEach(header);
  if (bytes !== size) {
    throw new DataError(
      `Cannot read ${label} as it holds ${size} bytes: its header states ${bytes}`,
    );
  }
  if (byteLengthOf(header) <= budgetBytes || isWide(header)) return null;
  const shape = itemShape(header.shape, header.type === "u1", label);
  const items = openItems(file, {
    type: IN_MEMORY[header.type],
    bigEndian: false,
    count: header.shape[0]!,
    size: elements(shape),
    start: start + header.start,
  });
  return { items, shape };
}

/**
 * Items that are read in their order.
 *
 * @param content the bytes of an `.npy`, from the first at each call
 * @throws {DataError} as `parseNpy`, of elements with the part that they lie in
 */
export async function streamNpyItems(
  content: () => AsyncIterable<Uint8Array>,
  label: string,
): Promise<Omit<StreamedData, "labels">> {
  const header = parseNpyHeader(await firstBytes(content(), HEADER_BYTES), label);
  const count = elements(header.shape);
  return {
    type: IN_MEMORY[header.type],
    shape: itemShape(header.shape, header.type === "u1", label),
    byteLength: byteLengthOf(header),
    async *parts() {
      let first = 0;
      const place = { start: header.start, bytesEach: bytesEach(header), count };
      for await (const bytes of wholeElements(content(), place, label)) {
        yield npyNumbers(header.type, bytes.buffer, label, first);
        first += bytes.length / place.bytesEach;
      }
    },
  };
}

function bytesEach({ type }: NpyHeader): number {
  return Number(type[1]);
}

function isWide(header: NpyHeader): boolean {
  return bytesEach(header) > BYTES_EACH[IN_MEMORY[header.type]];
}

function byteLengthOf({ type, shape }: NpyHeader): number {
  return elements(shape) * BYTES_EACH[IN_MEMORY[type]];
}
