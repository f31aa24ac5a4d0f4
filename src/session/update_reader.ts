/** Reads stored updates by range of floats, for aggregation tile by tile. */
import type { RangeReader, Update } from "../aggregation/aggregator.ts";
import { SessionFailedError } from "../core/errors.ts";
import type { WeightsId } from "../core/ids.ts";
import type { Blobs } from "../state/store.ts";

const FLOAT_BYTES = 4;
const LENGTH_BYTES = 8;

/** What is read: weights in the store; the client is for messages. */
type Stored = Pick<Update, "weights" | "client">;

/** Reads floats `start` to `end` of the flat array of stored weights, into `into` if it is given. */
export type StoredReader = RangeReader<Stored>;

/** A reader for updates whose encoded weights are stored as blobs. */
export function updateReader(blobs: Blobs): StoredReader {
  const dataStarts = new Map<WeightsId, number>();

  /** Fills `into` with the bytes of an update from `start` on. */
  async function fill({ weights, client }: Stored, start: number, into: Uint8Array<ArrayBuffer>) {
    const bytes = await blobs.rangeInto(weights, start, into);
    if (bytes === into.length) return;
    throw new SessionFailedError(
      `Cannot read the update ${weights} of ${client.name}: it is ${
        bytes === null ? "gone" : `${into.length - bytes} bytes too short`
      }`,
    );
  }

  return async function readUpdate(update, start, end, into = new Float32Array(end - start)) {
    let dataStart = dataStarts.get(update.weights);
    if (dataStart === undefined) {
      const head = new Uint8Array(LENGTH_BYTES);
      await fill(update, 0, head);
      dataStart = LENGTH_BYTES + Number(new DataView(head.buffer).getBigUint64(0, true));
      dataStarts.set(update.weights, dataStart);
    }
    const bytes = new Uint8Array(into.buffer, into.byteOffset, (end - start) * FLOAT_BYTES);
    await fill(update, dataStart + start * FLOAT_BYTES, bytes);
    return into;
  };
}
