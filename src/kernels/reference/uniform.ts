/** Uniform numbers as plain loops over xoshiro128**. */
import type { UniformShape } from "../uniform.ts";

/** @param state [a, b, c, d][4 lanes], changed as the kernel changes it */
export function referenceUniform(
  { floats, alike }: UniformShape,
  state: Uint32Array,
  to: Float64Array,
): void {
  const rotate = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits));
  for (let first = 0; first < floats; first += 4) {
    for (let lane = 0; lane < 4; lane++) {
      let [a, b, c, d] = [0, 4, 8, 12].map((at) => state[at + lane]!) as [
        number,
        number,
        number,
        number,
      ];
      const drawn = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
      to[first + lane] = alike && lane > 0 ? to[first]! : (drawn >>> 8) / 2 ** 24;
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = rotate(d, 11);
      [a, b, c, d].forEach((part, i) => state[i * 4 + lane] = part);
    }
  }
}
