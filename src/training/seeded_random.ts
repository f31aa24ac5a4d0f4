/** Makes everything random in tfjs repeatable: initialisers and dropout draw from `Math.random`. */
import { seeded } from "../core/prng.ts";

/** Replaces `Math.random` by a generator with this seed, until the next call. */
export function seedMathRandom(seed: number): void {
  Math.random = seeded(seed);
}
