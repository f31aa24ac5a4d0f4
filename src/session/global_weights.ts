/** The global weights of a run: the current ones at hand, those of earlier rounds in the store. */
import { SessionFailedError } from "../core/errors.ts";
import type { WeightsId } from "../core/ids.ts";
import { decodeWeights, type EncodedWeights } from "../core/weights.ts";
import type { Blobs } from "../state/store.ts";

/** The current global weights. */
export class GlobalWeights {
  private constructor(
    readonly blobs: Blobs,
    readonly id: WeightsId,
    readonly weights: EncodedWeights,
  ) {}

  /** Stores new global weights. */
  static async store(
    blobs: Blobs,
    bytes: Uint8Array<ArrayBuffer>,
    weights: EncodedWeights = decodeWeights(bytes),
  ): Promise<GlobalWeights> {
    const { id } = await blobs.put(bytes);
    return new GlobalWeights(blobs, id, weights);
  }

  /**
   * Reads those of a run that goes on.
   *
   * @throws {SessionFailedError} they are gone
   */
  static async read(blobs: Blobs, id: WeightsId): Promise<GlobalWeights> {
    return new GlobalWeights(blobs, id, decodeWeights(await bytesOf(blobs, id)));
  }

  /** The encoded weights of this or an earlier round. @throws {SessionFailedError} gone */
  async encoded(id: WeightsId): Promise<Uint8Array> {
    return id === this.id ? this.weights.bytes : await bytesOf(this.blobs, id);
  }
}

async function bytesOf(blobs: Blobs, id: WeightsId): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await blobs.get(id);
  if (bytes === null) throw new SessionFailedError(`Cannot go on as the weights ${id} are gone`);
  return bytes;
}
