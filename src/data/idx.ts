/**
 * The IDX format of MNIST (http://yann.lecun.com/exdb/mnist): two zero bytes, a type, the number of
 * axes, a big-endian 32-bit size for each axis, then the elements, big-endian.
 */
import { DataError } from "../core/errors.ts";
import {
  elements,
  type NumberArray,
  numbersOf,
  type NumberType,
  type RawData,
  type RawLabels,
  type StoredData,
  type StreamedData,
} from "./dataset.ts";
import { type DataFile, findFile, plainSize, readBytes, readParts, readStart } from "./folder.ts";
import { wholeElements } from "./parts.ts";
import { openItems, swapWords } from "./stored_items.ts";

/** Element types that are read: code, bytes an element. */
const TYPES: Readonly<Record<number, { name: "u1" | "i4" | "f4"; bytes: number }>> = {
  0x08: { name: "u1", bytes: 1 },
  0x0c: { name: "i4", bytes: 4 },
  0x0d: { name: "f4", bytes: 4 },
};
const MAX_AXES = 4;

interface IdxHeader {
  readonly type: "u1" | "i4" | "f4";
  readonly bytesEach: number;
  readonly sizes: readonly number[];
  /** Byte at which the elements start. */
  readonly start: number;
}

/** Names of the two files. */
export interface IdxPair {
  readonly images: string;
  readonly labels: string;
}

/**
 * Reads a pair of IDX files.
 *
 * @throws {DataError} a file is missing, truncated, too long or not IDX
 */
export async function readIdxPair(folder: string, pair: IdxPair): Promise<RawData> {
  const file = await findFile(folder, pair.images);
  const { values, sizes } = parseIdx(await readBytes(file), file.label);
  return { items: values, shape: itemShape(sizes), labels: await readIdxLabels(folder, pair) };
}

/** Names of the types in memory. */
const IN_MEMORY = { u1: "u8", i4: "i32", f4: "f32" } as const satisfies Record<
  IdxHeader["type"],
  NumberType
>;

/**
 * As {@link readIdxPair}, with images that stay on disk; null if they take at most so many bytes, or
 * are packed by gzip.
 *
 * @throws {DataError} as {@link readIdxPair}
 */
export async function openIdxPair(
  folder: string,
  pair: IdxPair,
  budgetBytes: number,
): Promise<StoredData | null> {
  const { file, header } = await findImages(folder, pair);
  const [count, ...rest] = header.sizes;
  if (elements(header.sizes) * header.bytesEach <= budgetBytes) return null;
  const fileBytes = await plainSize(file);
  if (fileBytes === null) return null;
  checkSize(fileBytes, header, file.label);
  const labels = await readIdxLabels(folder, pair);
  const items = openItems(file, {
    type: IN_MEMORY[header.type],
    bigEndian: true,
    count: count!,
    size: elements(rest),
    start: header.start,
  });
  return { items, shape: itemShape(header.sizes), labels };
}

/**
 * As {@link readIdxPair}, with images that are read in their order.
 *
 * @throws {DataError} as {@link readIdxPair}
 */
export async function streamIdxPair(folder: string, pair: IdxPair): Promise<StreamedData> {
  const { file, header } = await findImages(folder, pair);
  const { sizes, bytesEach, start } = header;
  const count = elements(sizes);
  return {
    type: IN_MEMORY[header.type],
    shape: itemShape(sizes),
    byteLength: count * bytesEach,
    async *parts() {
      const place = { start, bytesEach, count };
      for await (const bytes of wholeElements(readParts(file), place, file.label)) {
        if (bytesEach > 1) swapWords(bytes);
        yield numbersOf(IN_MEMORY[header.type], bytes);
      }
    },
    labels: () => readIdxLabels(folder, pair),
  };
}

async function findImages(folder: string, pair: IdxPair) {
  const file = await findFile(folder, pair.images);
  return { file, header: parseHeader(await readStart(file, 4 + 4 * MAX_AXES), file.label) };
}

/**
 * Reads the labels and the images' header only, and the size of a file that is not packed.
 *
 * @returns labels, and the number of images that the header states
 * @throws {DataError} as {@link readIdxPair}
 */
export async function summariseIdxPair(folder: string, pair: IdxPair) {
  const { file, header } = await findImages(folder, pair);
  const size = await plainSize(file);
  if (size !== null) checkSize(size, header, file.label);
  return { count: header.sizes[0]!, labels: await readIdxLabels(folder, pair) };
}

async function readIdxLabels(folder: string, pair: IdxPair): Promise<RawLabels> {
  const file: DataFile = await findFile(folder, pair.labels);
  const { values, sizes } = parseIdx(await readBytes(file), file.label);
  if (sizes.length !== 1) {
    throw new DataError(
      `Cannot read ${file.label} as labels of shape [${sizes}]: one number an item is needed`,
    );
  }
  const numbers = values instanceof Uint8Array ? Int32Array.from(values) : values;
  return { values: numbers, shape: [], count: sizes[0]!, source: file.label };
}

/**
 * Reads IDX bytes.
 *
 * @param label the file's name, for messages
 * @returns the elements and the size of each axis
 * @throws {DataError} wrong magic number, unknown type, or not as many bytes as the header states
 */
export function parseIdx(
  bytes: Uint8Array<ArrayBuffer>,
  label: string,
): { values: NumberArray; sizes: readonly number[] } {
  const header = parseHeader(bytes, label);
  checkSize(bytes.length, header, label);
  const { type, sizes, start } = header;
  if (type === "u1") return { values: bytes.subarray(start), sizes };
  const view = new DataView(bytes.buffer, bytes.byteOffset + start);
  const values = type === "i4"
    ? Int32Array.from({ length: elements(sizes) }, (_, i) => view.getInt32(4 * i))
    : Float32Array.from({ length: elements(sizes) }, (_, i) => view.getFloat32(4 * i));
  return { values, sizes };
}

/** IDX bytes of unsigned bytes or 32-bit integers in the given shape. */
export function encodeIdx(
  values: Uint8Array | Int32Array,
  sizes: readonly number[],
): Uint8Array<ArrayBuffer> {
  const start = 4 + 4 * sizes.length;
  const bytes = new Uint8Array(start + values.byteLength);
  const view = new DataView(bytes.buffer);
  bytes[2] = values instanceof Uint8Array ? 0x08 : 0x0c;
  bytes[3] = sizes.length;
  sizes.forEach((size, axis) => view.setUint32(4 + 4 * axis, size));
  if (values instanceof Uint8Array) bytes.set(values, start);
  else values.forEach((value, i) => view.setInt32(start + 4 * i, value));
  return bytes;
}

function parseHeader(bytes: Uint8Array, label: string): IdxHeader {
  const [zero0, zero1, code, axes] = bytes;
  if (zero0 !== 0 || zero1 !== 0 || code === undefined || axes === undefined) {
    const magic = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0"));
    throw new DataError(
      `Cannot read ${label} as its magic number is "${magic.join(" ")}": IDX starts with "00 00"`,
    );
  }
  const type = TYPES[code];
  if (type === undefined || axes < 1 || axes > MAX_AXES) {
    throw new DataError(
      `Cannot read ${label} as IDX of type ${code} with ${axes} axes: ` +
        `types 8 (bytes), 12 (integers), 13 (floats) and 1 to ${MAX_AXES} axes are read`,
    );
  }
  const start = 4 + 4 * axes;
  if (bytes.length < start) {
    throw new DataError(
      `Cannot read ${label} as it holds ${bytes.length} bytes: its header alone takes ${start}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const sizes = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  return { type: type.name, bytesEach: type.bytes, sizes, start };
}

function checkSize(size: number, { sizes, bytesEach, start }: IdxHeader, label: string): void {
  const expected = start + elements(sizes) * bytesEach;
  if (size === expected) return;
  throw new DataError(
    `Cannot read ${label} as it holds ${size} bytes: its header states ${expected}`,
  );
}

/** Images without a channel axis get one. */
function itemShape(sizes: readonly number[]): readonly number[] {
  return sizes.length === 3 ? [...sizes.slice(1), 1] : sizes.slice(1);
}
