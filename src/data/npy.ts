/**
 * NumPy's array file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
 * magic, version, header length, a Python dictionary as text, then the elements.
 */
import { DataError } from "../core/errors.ts";
import { elements, type NumberArray, type NumberType, typeOf } from "./dataset.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
/** Bytes an element of the types that are read. */
const BYTES = { f4: 4, f8: 8, u1: 1, i4: 4, i8: 8 } as const;
/** Element types that are read. */
export type NpyType = keyof typeof BYTES;

/** An array: f8 becomes f4 and i8 becomes i4, as the model computes in these. */
export interface NpyArray {
  readonly values: NumberArray;
  readonly shape: readonly number[];
}

/**
 * Reads the bytes of one `.npy` file.
 *
 * @param label name of file and array, for messages
 * @throws {DataError} not an npy file, another element type, Fortran order, truncated, or a whole
 * number beyond 32 bits
 */
export function parseNpy(bytes: Uint8Array<ArrayBuffer>, label: string): NpyArray {
  const { type, shape, start } = parseNpyHeader(bytes, label);
  const expected = start + elements(shape) * BYTES[type];
  if (bytes.length !== expected) {
    throw new DataError(
      `Cannot read ${label} as it holds ${bytes.length} bytes: its header states ${expected}`,
    );
  }
  // A slice starts at an aligned byte, which typed arrays need.
  const data = bytes.slice(start).buffer;
  return { values: npyNumbers(type, data, label), shape };
}

/**
 * Elements as numbers in memory.
 *
 * @param first how many elements there are before these, for messages
 * @throws {DataError} a whole number beyond 32 bits
 */
export function npyNumbers(
  type: NpyType,
  data: ArrayBuffer,
  label: string,
  first = 0,
): NumberArray {
  switch (type) {
    case "u1":
      return new Uint8Array(data);
    case "i4":
      return new Int32Array(data);
    case "f4":
      return new Float32Array(data);
    case "f8":
      return Float32Array.from(new Float64Array(data));
    case "i8": {
      const narrow = new Int32Array(data.byteLength / 8);
      new BigInt64Array(data).forEach((value, index) => {
        narrow[index] = Number(value);
        if (BigInt(narrow[index]!) !== value) {
          throw new DataError(
            `Cannot read ${label} as element ${
              first + index
            } is ${value}: at most 32 bits are read`,
          );
        }
      });
      return narrow;
    }
  }
}

/** What an `.npy` file says before its elements, which start at a byte. */
export interface NpyHeader {
  readonly type: NpyType;
  readonly shape: readonly number[];
  readonly start: number;
}

/**
 * Reads the header of an `.npy` file.
 *
 * @param bytes its first bytes, with the whole header
 * @throws {DataError} as {@link parseNpy}
 */
export function parseNpyHeader(bytes: Uint8Array<ArrayBuffer>, label: string): NpyHeader {
  if (MAGIC.some((byte, index) => bytes[index] !== byte) || bytes.length < 12) {
    throw new DataError(`Cannot read ${label} as it does not start with NumPy's magic number`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6]! >= 2;
  const textStart = wide ? 12 : 10;
  const start = textStart + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (start > bytes.length) {
    throw new DataError(
      `Cannot read ${label} as it holds ${bytes.length} bytes: its header alone takes ${start}`,
    );
  }
  const header = new TextDecoder().decode(bytes.subarray(textStart, start));
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1] ?? "";
  const type = /^[<|=]?(f4|f8|u1|i4|i8)$/.exec(descr)?.[1] as NpyType | undefined;
  const shape = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(header)?.[1];
  if (type === undefined || shape === undefined) {
    throw new DataError(
      `Cannot read ${label} of type "${descr}": little-endian f4, f8, u1, i4 and i8 are read`,
    );
  }
  if (!/'fortran_order'\s*:\s*False/.test(header)) {
    throw new DataError(
      `Cannot read ${label} as it is in Fortran order: save numpy.ascontiguousarray(...) of it`,
    );
  }
  const sizes = shape.split(",").filter((part) => part.trim() !== "").map(Number);
  return { type, shape: sizes, start };
}

/** The bytes of an `.npy` file with these elements. */
export function encodeNpy(values: NumberArray, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const header = encodeNpyHeader(typeOf(values), shape);
  const bytes = new Uint8Array(header.length + values.byteLength);
  bytes.set(header);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), header.length);
  return bytes;
}

const DESCRIPTIONS = { u8: "|u1", i32: "<i4", f32: "<f4" } as const satisfies Record<
  NumberType,
  string
>;

/**
 * What an `.npy` file has before its elements.
 *
 * @param leastBytes how long it is at least, for one that is written anew in the same place
 */
export function encodeNpyHeader(
  type: NumberType,
  shape: readonly number[],
  leastBytes = 0,
): Uint8Array<ArrayBuffer> {
  const sizes = shape.map((size) => `${size},`).join(" ");
  const text = `{'descr': '${DESCRIPTIONS[type]}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // The elements start at a multiple of 64, after a line break.
  const start = Math.ceil(Math.max(leastBytes, 10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(start);
  bytes.set([...MAGIC, 1, 0]);
  new DataView(bytes.buffer).setUint16(8, start - 10, true);
  bytes.set(new TextEncoder().encode(`${text.padEnd(start - 11)}\n`), 10);
  return bytes;
}
