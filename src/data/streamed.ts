/** Reads streamed items to their end. */
import type { NumberArray, NumberType, RawData, RawLabels, StreamedData } from "./dataset.ts";

/** Holds all items of a stream in memory. @throws {DataError} what its parts and labels throw */
export async function gathered(data: StreamedData): Promise<RawData> {
  let bytes = new Uint8Array(data.byteLength ?? 2 ** 16);
  let have = 0;
  for await (const part of data.parts()) {
    if (have + part.length > bytes.length) {
      const larger = new Uint8Array(Math.max(2 * bytes.length, have + part.length));
      larger.set(bytes.subarray(0, have));
      bytes = larger;
    }
    bytes.set(part, have);
    have += part.length;
  }
  const whole = have === bytes.length ? bytes : bytes.slice(0, have);
  return { items: numbersOf(data.type, whole), shape: data.shape, labels: await data.labels() };
}

/** Reads a stream for its labels, and looks at its items no more than that needs. */
export async function labelsAlone(data: StreamedData): Promise<RawLabels> {
  for await (const _ of data.parts()) continue;
  return await data.labels();
}

function numbersOf(type: NumberType, { buffer }: Uint8Array<ArrayBuffer>): NumberArray {
  switch (type) {
    case "u8":
      return new Uint8Array(buffer);
    case "i32":
      return new Int32Array(buffer);
    case "f32":
      return new Float32Array(buffer);
  }
}
