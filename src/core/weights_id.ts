/** Weights are known by the hash of their bytes. */
import type { WeightsId } from "./ids.ts";
import { sha256 } from "./model_package.ts";

/** The identity of encoded weights. */
export function weightsId(bytes: Uint8Array): WeightsId {
  return sha256(bytes);
}
