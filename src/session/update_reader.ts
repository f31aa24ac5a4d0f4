/** Reads stored updates by range of floats, for aggregation tile by tile. */
import type { Update } from "../aggregation/aggregator.ts";
import { SessionFailedError } from "../core/errors.ts";
import type { WeightsId } from "../core/ids.ts";
import type { Blobs } from "../state/store.ts";

const FLOAT_BYTES = 4;

/** Reads floats `start` to `end` of the flat array of stored weights; the client is for messages. */
export type StoredReader = (
  of: Pick<Update, "weights" | "client">,
  start: number,
  end: number,
) => Promise<Float32Array>;

/** A reader for updates whose encoded weights are stored as blobs. */
export function updateReader(blobs: Blobs): StoredReader {
  const dataStarts = new Map<WeightsId, number>();
  return async function readUpdate({ weights, client }, start, end) {
    let dataStart = dataStarts.get(weights);
    if (dataStart === undefined) {
      const head = await blobs.range(weights, 0, 8);
      if (head === null) {
        throw new SessionFailedError(
          `Cannot read the update ${weights} of ${client.name}: it is gone`,
        );
      }
      dataStart = 8 + Number(new DataView(head.buffer, head.byteOffset).getBigUint64(0, true));
      dataStarts.set(weights, dataStart);
    }
    const bytes = await blobs.range(
      weights,
      dataStart + start * FLOAT_BYTES,
      (end - start) * FLOAT_BYTES,
    );
    if (bytes === null) {
      throw new SessionFailedError(
        `Cannot read the update ${weights} of ${client.name}: it is gone`,
      );
    }
    const aligned = bytes.byteOffset % FLOAT_BYTES === 0 ? bytes : new Uint8Array(bytes);
    return new Float32Array(aligned.buffer, aligned.byteOffset, end - start);
  };
}
