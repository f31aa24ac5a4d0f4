/** Reads streamed items to their end, and streams those that are in memory. */
import {
  bytesOf,
  numbersOf,
  type RawData,
  type RawLabels,
  type StreamedData,
  typeOf,
} from "./dataset.ts";

/** Holds all items of a stream in memory. @throws {DataError} what its parts and labels throw */
export async function gathered(data: StreamedData): Promise<RawData> {
  let bytes = new Uint8Array(data.byteLength ?? 2 ** 16);
  let have = 0;
  for await (const part of data.parts()) {
    if (have + part.byteLength > bytes.length) {
      const larger = new Uint8Array(Math.max(2 * bytes.length, have + part.byteLength));
      larger.set(bytes.subarray(0, have));
      bytes = larger;
    }
    bytes.set(bytesOf(part), have);
    have += part.byteLength;
  }
  const whole = have === bytes.length ? bytes : bytes.slice(0, have);
  return { items: numbersOf(data.type, whole), shape: data.shape, labels: await data.labels() };
}

/** Data in memory as a stream of one part. */
export function streamOf({ items, shape, labels }: RawData): StreamedData {
  return {
    type: typeOf(items),
    shape,
    byteLength: items.byteLength,
    async *parts() {
      yield await Promise.resolve(items);
    },
    labels: () => labels,
  };
}

/** Reads a stream for its labels alone. @throws {DataError} what its parts and labels throw */
export async function labelsAlone(data: StreamedData): Promise<RawLabels> {
  for await (const _ of data.parts()) continue;
  return await data.labels();
}
