/**
 * Programs as bytes: the length of a header, the header as JSON, then the arrays that it names by
 * kind, place and length. A format of our own, as the runtime's may differ from version to version.
 */
import type { ModelProgram } from "./step/program.ts";

/** Stands in the header for an array. */
interface ArrayPlace {
  readonly array: "bytes" | "floats";
  /** Bytes from the end of the header. */
  readonly at: number;
  readonly length: number;
}

/** Arrays start at multiples of this. */
const ALIGNMENT = 4;

export function encodeProgram(program: ModelProgram): Uint8Array<ArrayBuffer> {
  const arrays: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  let end = 0;
  const header = JSON.stringify(program, (_, value: unknown) => {
    if (!(value instanceof Uint8Array || value instanceof Float32Array)) return value;
    const { buffer, byteOffset, byteLength, length } = value;
    const place: ArrayPlace = {
      array: value instanceof Uint8Array ? "bytes" : "floats",
      at: end,
      length,
    };
    arrays.push({ at: end, bytes: new Uint8Array(buffer, byteOffset, byteLength) });
    end += Math.ceil(byteLength / ALIGNMENT) * ALIGNMENT;
    return place;
  });
  const text = new TextEncoder().encode(header);
  const start = 4 + text.length;
  const file = new Uint8Array(start + end);
  new DataView(file.buffer).setUint32(0, text.length, true);
  file.set(text, 4);
  for (const { at, bytes } of arrays) file.set(bytes, start + at);
  return file;
}

/** @param file as {@link encodeProgram} made it; what was damaged must be found out before */
export function decodeProgram(file: Uint8Array): ModelProgram {
  const length = new DataView(file.buffer, file.byteOffset).getUint32(0, true);
  const start = 4 + length;
  const header = new TextDecoder().decode(file.subarray(4, start));
  return JSON.parse(header, (_, value: unknown) => {
    if (!isPlace(value)) return value;
    const floats = value.array === "floats";
    const first = start + value.at;
    const own = file.slice(first, first + value.length * (floats ? 4 : 1));
    return floats ? new Float32Array(own.buffer) : own;
  });
}

function isPlace(value: unknown): value is ArrayPlace {
  return typeof value === "object" && value !== null && "array" in value && "at" in value;
}
