/**
 * Model weights: one flat Float32Array and the layout that names its parts, so that aggregation is
 * arithmetic on one array and a mismatch is one comparison. Encoded as safetensors
 * (https://huggingface.co/docs/safetensors), a format that can carry no code: 8 bytes of header
 * length (little-endian), a JSON header, then the tensors' bytes.
 */
import { WeightsError } from "./errors.ts";

/** One tensor's place in the flat array. */
export interface TensorSpec {
  readonly name: string;
  /** Sizes by axis; empty for a scalar. */
  readonly shape: readonly number[];
  /** First element's index in the flat array. */
  readonly offset: number;
  /** Number of elements. */
  readonly size: number;
}

/** All tensors of a model in order, without gaps. */
export type Layout = readonly TensorSpec[];

/** A model's weights; `values` may be a view into encoded bytes. */
export interface Weights {
  readonly layout: Layout;
  readonly values: Float32Array<ArrayBuffer>;
}

/** Weights with the safetensors bytes they are a view of: writing `values` changes `bytes`. */
export interface EncodedWeights extends Weights {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const LENGTH_BYTES = 8;
const FLOAT_BYTES = 4;
/** More than any real header; a larger one is an attack or not safetensors. */
const MAX_HEADER_BYTES = 16 * 1024 * 1024;

/** Lays tensors out one after another in the given order. */
export function layoutOf(
  tensors: readonly { readonly name: string; readonly shape: readonly number[] }[],
): Layout {
  let offset = 0;
  return tensors.map(({ name, shape }) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const spec = { name, shape: [...shape], offset, size };
    offset += size;
    return spec;
  });
}

/** Number of floats that a layout holds. */
export function sizeOf(layout: Layout): number {
  const last = layout.at(-1);
  return last === undefined ? 0 : last.offset + last.size;
}

/** Number of bytes that weights of this layout take when encoded. */
export function encodedSize(layout: Layout): number {
  return headerBytes(layout).length + sizeOf(layout) * FLOAT_BYTES;
}

/** Zeros of this layout, already inside their encoded bytes: fill `values`, then send `bytes`. */
export function allocateWeights(layout: Layout): EncodedWeights {
  const header = headerBytes(layout);
  const bytes = new Uint8Array(header.length + sizeOf(layout) * FLOAT_BYTES);
  bytes.set(header);
  return { layout, bytes, values: new Float32Array(bytes.buffer, header.length) };
}

/** Weights as safetensors bytes; the same weights always give the same bytes. */
export function encodeWeights(weights: Weights): EncodedWeights {
  const encoded = allocateWeights(weights.layout);
  encoded.values.set(weights.values);
  return encoded;
}

/**
 * Reads safetensors bytes. The result is a view of `bytes` where alignment allows it, as it does
 * for all that {@link allocateWeights} makes, and a copy otherwise.
 *
 * @throws {WeightsError} the bytes are truncated, not safetensors, or hold anything but F32 tensors
 * that follow each other without gaps
 */
export function decodeWeights(bytes: Uint8Array<ArrayBuffer>): EncodedWeights {
  const { layout, dataStart } = decodeLayout(bytes);
  const expected = dataStart + sizeOf(layout) * FLOAT_BYTES;
  if (bytes.length !== expected) {
    throw new WeightsError(`Cannot read weights of ${bytes.length} bytes: expected ${expected}`);
  }
  const start = bytes.byteOffset + dataStart;
  if (start % FLOAT_BYTES !== 0) {
    // Not slice(): on a Node Buffer that is another view, and no copy.
    const copy = new Uint8Array(bytes.subarray(dataStart));
    return encodeWeights({ layout, values: new Float32Array(copy.buffer) });
  }
  return { layout, bytes, values: new Float32Array(bytes.buffer, start, sizeOf(layout)) };
}

/**
 * Reads the header at the start of safetensors bytes, of which the rest may be missing.
 *
 * @returns the layout and the byte at which the first tensor starts
 * @throws {WeightsError} as {@link decodeWeights}
 */
export function decodeLayout(bytes: Uint8Array): { layout: Layout; dataStart: number } {
  if (bytes.length < LENGTH_BYTES) {
    throw new WeightsError(`Cannot read weights of ${bytes.length} bytes: the header is missing`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  const dataStart = LENGTH_BYTES + length;
  if (length > MAX_HEADER_BYTES || dataStart > bytes.length) {
    throw new WeightsError(
      `Cannot read weights whose header claims ${length} bytes: ${bytes.length} bytes are there`,
    );
  }
  return { layout: parseHeader(bytes.subarray(LENGTH_BYTES, dataStart)), dataStart };
}

function parseHeader(bytes: Uint8Array): Layout {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new WeightsError("Cannot read weights: the safetensors header is not JSON");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw new WeightsError("Cannot read weights: the safetensors header is not an object");
  }
  const tensors = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => parseTensor(name, entry))
    .sort((a, b) => a.start - b.start || a.end - b.end);
  let next = 0;
  for (const { name, start, end } of tensors) {
    if (start !== next) {
      throw new WeightsError(`Cannot read tensor "${name}" at byte ${start}: expected ${next}`);
    }
    next = end;
  }
  return layoutOf(tensors);
}

function parseTensor(name: string, entry: unknown) {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  if (dtype !== "F32") {
    throw new WeightsError(`Cannot read tensor "${name}" of type ${String(dtype)}: expected F32`);
  }
  if (!isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
    throw new WeightsError(`Cannot read tensor "${name}": its shape or offsets are not sizes`);
  }
  const [start, end] = offsets as [number, number];
  const bytes = shape.reduce((product, length) => product * length, FLOAT_BYTES);
  if (end - start !== bytes) {
    throw new WeightsError(
      `Cannot read tensor "${name}" of shape [${shape}] from ${
        end - start
      } bytes: expected ${bytes}`,
    );
  }
  return { name, shape, start, end };
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function headerBytes(layout: Layout): Uint8Array {
  const entries = layout.map(({ name, shape, offset, size }) => [name, {
    dtype: "F32",
    shape,
    data_offsets: [offset * FLOAT_BYTES, (offset + size) * FLOAT_BYTES],
  }]);
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  // Padded with spaces, as the format allows, so that the tensors are aligned for a Float32Array.
  const padded = Math.ceil(json.length / LENGTH_BYTES) * LENGTH_BYTES;
  const bytes = new Uint8Array(LENGTH_BYTES + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, LENGTH_BYTES);
  return bytes;
}

/**
 * Checks that weights have the expected layout and only finite values.
 *
 * @throws {WeightsError} naming the first tensor that differs, or the first NaN or Inf
 */
export function checkWeights(weights: Weights, expected: Layout): void {
  checkLayout(weights.layout, expected);
  const { values } = weights;
  // A sum is finite only if all its terms are (or, rarely, overflows: then the search decides).
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  if (sum === 0) return;
  const index = values.findIndex((value) => !Number.isFinite(value));
  const tensor = weights.layout.find(({ offset, size }) => index < offset + size)!;
  throw new WeightsError(
    `Cannot use weights with ${values[index]} in tensor "${tensor.name}" at ${
      index - tensor.offset
    }`,
  );
}

/** @throws {WeightsError} naming the first tensor in which the layouts differ */
export function checkLayout(actual: Layout, expected: Layout): void {
  for (let i = 0; i < Math.max(actual.length, expected.length); i++) {
    const [got, want] = [actual[i], expected[i]];
    if (describe(got) !== describe(want)) {
      throw new WeightsError(
        `Cannot use weights with ${describe(got)}: expected ${describe(want)}`,
      );
    }
  }
}

function describe(tensor: TensorSpec | undefined): string {
  return tensor === undefined ? "no further tensor" : `tensor "${tensor.name}" [${tensor.shape}]`;
}
